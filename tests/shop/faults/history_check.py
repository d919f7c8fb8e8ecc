"""Compares what the clients were answered with what the database, the stream's consumers and the cache hold in the end."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection

from shop.domain.values import UserId

from .history import ACTIONS, Answer, History, Operation, UserSeen, Verdict

_EVENTS: Final = {
    "order.place": "OrderPlaced",
    "order.pay": "OrderPaid",
    "order.ship": "OrderShipped",
    "order.cancel": "OrderCancelled",
    "user.update_profile": "UserProfileUpdated",
    "user.change_password": "UserPasswordChanged",
}
_OF_USERS: Final = ("user.update_profile", "user.change_password")
# Of a use case: the default of the setting `retry_attempts`.
_ATTEMPTS: Final = 5
_MOVES: Final = {"placed": {"paid", "cancelled"}, "paid": {"shipped", "cancelled"}, "shipped": set[str](), "cancelled": set[str]()}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the audit log about a write."""

    id: int
    action: str
    subject: str
    outcome: str
    after: str
    trace: str


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the outbox."""

    position: int
    message_id: str
    aggregate: str
    event_type: str
    trace: str
    is_settled: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored when nothing is in progress any more."""

    audit: Sequence[Entry]
    orders: dict[str, tuple[str, str, int]]
    """The account, the status and the version of each order."""
    events: Sequence[Event]
    effects: Sequence[tuple[str, str]]
    """The message and the aggregate of each effect of the observer, in its order."""
    dead: int
    sales: int
    totals: dict[str, tuple[int, int]]
    """The orders of each account and the cancelled ones, as the service answers."""
    users: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    """The first name and the version of each user."""
    reused: int = 0
    """Refresh tokens that were taken for stolen ones."""


async def stored(conn: AsyncConnection[Any], totals: dict[str, tuple[int, int]]) -> Stored:
    """Read everything. `totals` are the service's answers."""

    async def rows(query: str, *parameters: object) -> list[Any]:
        return await (await conn.execute(query.encode(), parameters or None)).fetchall()

    [(dead, sales, reused)] = await rows("""
        SELECT (SELECT count(*) FROM inbox WHERE dead_at IS NOT NULL) + (SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL),
               (SELECT coalesce(sum(orders), 0)::bigint FROM daily_sales),
               (SELECT count(*) FROM audit_log WHERE metadata ->> 'reason' = 'ReusedToken')
    """)
    return Stored(
        [
            Entry(*row)
            for row in await rows(
                """
                SELECT id, action, subject, outcome::text, coalesce(metadata ->> 'after', 'placed'), trace_id
                FROM audit_log WHERE action = ANY(%s) ORDER BY id
                """,
                list(ACTIONS.values()),
            )
        ],
        {row[0]: row[1:] for row in await rows("SELECT id::text, user_id::text, status::text, version FROM orders")},
        [
            Event(*row)
            for row in await rows(
                """
                SELECT position, message_id::text, aggregate, event_type, trace_id, published_at IS NOT NULL
                FROM outbox WHERE event_type = ANY(%s) ORDER BY position
                """,
                list(_EVENTS.values()),
            )
        ],
        await rows("SELECT message_id::text, aggregate FROM faults.effects ORDER BY id"),
        dead,
        sales,
        totals,
        {row[0]: row[1:] for row in await rows("SELECT id::text, first_name, version FROM users")},
        reused,
    )


def check(history: History, there: Stored) -> list[str]:
    """Return everything that contradicts a promise of the service."""
    return [
        *(f"defect: {each}" for each in history.defects),
        *_check_operations(history, there),
        *_check_orders(there),
        *_check_events(there),
        *_check_reads(history, there),
        *_check_users(history, there),
    ]


def _check_operations(history: History, there: Stored) -> Iterator[str]:
    """What was acknowledged happened once, what failed did not happen, and what is unknown happened once or not at all."""
    done, others = defaultdict[str, list[Entry]](list), Counter[tuple[str, str]]()
    for entry in there.audit:
        if entry.outcome == "done":
            done[entry.trace].append(entry)
        else:
            others[entry.trace, entry.outcome] += 1
    known = {answer.trace for each in history.operations for answer in each.answers}
    yield from (f"audit: an entry of no request: {entry}" for entry in there.audit if entry.trace not in known)
    for each in history.operations:
        times = sum(len(done[answer.trace]) for answer in each.answers)
        match each.verdict:
            case Verdict.DONE if times != 1:
                yield f"{'lost' if times == 0 else 'twice'}: acknowledged, and done {times} times: {each}"
            case Verdict.FAILED | Verdict.REFUSED if times:
                yield f"phantom: answered that it was not done, and done {times} times: {each}"
            case Verdict.UNKNOWN if times > 1:
                yield f"twice: done {times} times: {each}"
            case _:
                pass
        for answer in each.answers:
            yield from _check_other_entries(each, answer, others[answer.trace, "refused"], others[answer.trace, "failed"])
        if each.verdict is Verdict.DONE:
            yield from _check_acknowledged(each, [entry for answer in each.answers for entry in done[answer.trace]], there)


def _check_other_entries(operation: Operation, answer: Answer, refused: int, failed: int) -> Iterator[str]:
    # A refusal under a key whose commit is unknown is judged again, and may be done then.
    judged = 1 if operation.key is None else _ATTEMPTS
    least, most = {
        Verdict.FAILED: (0, 0),
        Verdict.REFUSED: (1, judged),
        Verdict.UNKNOWN: (0, judged),
        Verdict.DONE: (0, judged - 1),
    }[answer.verdict]
    if not least <= refused <= most:
        yield f"audit: {refused} refusals of {answer}"
    # A failure is recorded where the database can be reached.
    if failed > (1 if answer.verdict in {Verdict.FAILED, Verdict.UNKNOWN} else 0):
        yield f"audit: {failed} failures of {answer}"


def _check_acknowledged(operation: Operation, entries: Iterable[Entry], there: Stored) -> Iterator[str]:
    action, order = ACTIONS[operation.kind], operation.done.order
    if action.startswith("order.") and str(order) not in there.orders:
        yield f"lost: no order of {operation}"
    for entry in entries:
        if entry.action != action or entry.subject != (f"user:{operation.account}" if order is None else f"order:{order}"):
            yield f"audit: {entry} is another action than {operation}"


def _check_orders(there: Stored) -> Iterator[str]:
    """The audit log has all of the versions of each order."""
    statuses = _statuses(there)
    for order, (_, status, version) in there.orders.items():
        found = statuses.get(order, [])
        if len(found) != version or not found or found[-1] != status:
            yield f"audit: order {order} is {status} in version {version}, and its entries are {found}"
        for one, other in pairwise(found):
            if other not in _MOVES[one]:
                yield f"order {order} went from {one} to {other}"
    yield from (f"audit: no order {order}" for order in statuses if order not in there.orders)


def _statuses(there: Stored) -> dict[str, list[str]]:
    found = defaultdict[str, list[str]](list)
    for entry in there.audit:
        if entry.outcome == "done" and entry.action.startswith("order."):
            found[entry.subject.removeprefix("order:")].append(entry.after)
    return found


def _check_events(there: Stored) -> Iterator[str]:
    """Each change has one event, which took effect once, after those of the same aggregate before it."""
    changes = Counter(
        (entry.subject, _EVENTS[entry.action], entry.trace) for entry in there.audit if entry.outcome == "done" and entry.action in _EVENTS
    )
    events = Counter((event.aggregate, event.event_type, event.trace) for event in there.events)
    yield from (f"events: {change} has {events[change]}" for change in changes | events if changes[change] != events[change])
    yield from (f"events: not published: {event}" for event in there.events if not event.is_settled)
    if there.dead:
        yield f"events: {there.dead} dead letters"
    positions = {event.message_id: event.position for event in there.events}
    effects = Counter(message for message, _ in there.effects)
    yield from (f"events: {message} took effect {effects[message]} times" for message in positions if effects[message] != 1)
    last = Counter[str]()
    for message, aggregate in there.effects:
        position = positions.get(message, 0)
        if position <= last[aggregate]:
            yield f"events: {message} of {aggregate} took effect out of order"
        last[aggregate] = position
    paid = sum(entry.action == "order.pay" for entry in there.audit if entry.outcome == "done")
    refunded = sum(one == "paid" and other == "cancelled" for each in _statuses(there).values() for one, other in pairwise(each))
    if there.sales != paid - refunded:
        yield f"events: {there.sales} sales, and {paid} orders paid, of which {refunded} refunded"


def _check_reads(history: History, there: Stored) -> Iterator[str]:
    """No read is older than what was acknowledged and replicated before it began, or newer than what was asked for before it ended."""
    began = {answer.trace: each.began for each in history.operations for answer in each.answers}
    yield from _check_orders_seen(history, there, began)
    yield from _check_totals_seen(history, there, began)
    for account, (orders, cancelled) in there.totals.items():
        found = Counter(status for owner, status, _ in there.orders.values() if owner == account)
        if (found.total(), found["cancelled"]) != (orders, cancelled):
            yield f"stale: at the end account {account} has {found}, and the service answers {orders} and {cancelled}"


def _check_orders_seen(history: History, there: Stored, began: Mapping[str, int]) -> Iterator[str]:
    statuses = _statuses(there)
    asked: dict[str, list[int]] = defaultdict(list)
    for entry in there.audit:
        if entry.outcome == "done":
            asked[entry.subject.removeprefix("order:")].append(began.get(entry.trace, 0))
    acknowledged: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for each in history.operations:
        if each.verdict is Verdict.DONE:
            acknowledged[str(each.done.order)].append((each.ended, each.done.version))
    for seen in history.orders_seen:
        order = str(seen.order)
        least = max((version for ended, version in acknowledged[order] if ended < history.known(seen.began)), default=0)
        if seen.version < least:
            yield f"stale: version {least} was acknowledged before {seen}"
        if seen.version == 0:
            continue
        if statuses.get(order, [])[seen.version - 1 : seen.version] != [seen.status]:
            yield f"dirty: there was no such version: {seen}, {statuses.get(order)}"
        elif asked[order][seen.version - 1] > seen.ended:
            yield f"future: {seen}"


def _check_totals_seen(history: History, there: Stored, began: Mapping[str, int]) -> Iterator[str]:
    asked, acknowledged = (defaultdict[tuple[str, str], list[int]](list) for _ in range(2))
    for entry in there.audit:
        account = there.orders.get(entry.subject.removeprefix("order:"), ("",))[0]
        if entry.outcome == "done":
            asked[account, entry.action].append(began.get(entry.trace, 0))
    for each in history.operations:
        if each.verdict is Verdict.DONE and _is_in_cache(each):
            acknowledged[str(each.account), f"order.{each.kind}"].append(each.ended)
    for totals in history.totals_seen:
        for number, action in ((totals.orders, "order.place"), (totals.cancelled, "order.cancel")):
            key = str(totals.account), action
            least = sum(ended < history.known(totals.began) for ended in acknowledged[key])
            most = sum(begun < totals.ended for begun in asked[key])
            if not least <= number <= most:
                yield f"{'stale' if number < least else 'future'}: {action} {number} times, expected {least} to {most}: {totals}"


def _check_users(history: History, there: Stored) -> Iterator[str]:
    """Each change of a user is the next version, none is lost, and no read is older than it may be."""
    if there.reused:
        yield f"sessions: {there.reused} refresh tokens were taken for stolen ones"
    operations = {answer.trace: each for each in history.operations for answer in each.answers}
    # By user: the writes of a name by the version of each, the number of versions, and those that were acknowledged.
    names = {user: {1: Operation("register", UserId(UUID(user)), None, None, 0, name="Ada")} for user in there.users}
    versions = dict.fromkeys(there.users, 1)
    acknowledged = defaultdict[str, list[tuple[Operation, int]]](list)
    for entry in there.audit:
        user, operation = entry.subject.removeprefix("user:"), operations.get(entry.trace)
        if entry.outcome != "done" or entry.action not in _OF_USERS or operation is None:
            continue
        versions[user] += 1
        if operation.name:
            names[user][versions[user]] = operation
        if operation.verdict is Verdict.DONE:
            acknowledged[user].append((operation, versions[user]))
            if operation.name and operation.done.version != versions[user]:
                yield f"lost: this is version {versions[user]}: {operation}"
    for user in acknowledged:
        expected = names[user][max(names[user])].name, versions[user]
        if there.users[user] != expected:
            yield f"lost: user {user} is {there.users[user]} in the end, expected {expected}"
    for seen in history.users_seen:
        yield from _check_user_seen(seen, names[str(seen.user)], acknowledged[str(seen.user)], history.known(seen.began))


def _check_user_seen(
    seen: UserSeen, names: Mapping[int, Operation], acknowledged: Sequence[tuple[Operation, int]], known: int
) -> Iterator[str]:
    written = next((version for version, operation in names.items() if operation.name == seen.name), 0)
    # The last version with this name.
    latest = min((version for version in names if version > written), default=sys.maxsize) - 1
    least = max((version for each, version in acknowledged if each.ended < known and (seen.version or _is_in_cache(each))), default=1)
    if not written or not written <= (seen.version or written) <= latest:
        yield f"dirty: there was no such version: {seen}"
        return
    if names[written].began > seen.ended:
        yield f"future: {seen}"
    if (seen.version or latest) < least:
        yield f"stale: version {least} was acknowledged before {seen}"


def _is_in_cache(operation: Operation) -> bool:
    # If a later request found it out, the cache may still have what was before: the page on the cache says so.
    return len(operation.answers) == 1 or not operation.done.is_replayed
