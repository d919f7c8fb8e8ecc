"""Campaigns under faults: what was acknowledged is there, nothing happened twice, and nothing was read that no promise allows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shop.domain.values import OrderId, UserId
from shop.local_servers import LocalServer, nats_server
from tests.support.servers import ReadyCluster

from .conftest import Dbmate
from .faults.campaign import Scale, run
from .faults.history import Answer, History, Operation, OrderSeen, TotalsSeen, UserSeen, Verdict
from .faults.history_check import Entry, Event, Stored, check
from .faults.lag import running_lagging_pair
from .faults.sessions import End, Human, Secret, Session

pytestmark = [pytest.mark.long, pytest.mark.programs]


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[LocalServer]:
    """The NATS server of this test: its stream has no other events."""
    with nats_server(tmp_path) as server:
        yield server


async def test_a_short_campaign_finds_nothing(database_url: str, nats: LocalServer, redis_url: str) -> None:
    scale = Scale(operations=300, seed=7, accounts=3, people=2, list_clients=4, seconds=60, between_outages=1.0)
    report = await run(database_url, redis_url, nats.url, scale)
    assert report.operations >= 300
    assert report.faults.total() > 0
    assert report.violations == []


@pytest.mark.slow
async def test_a_long_campaign_with_a_standby_finds_nothing(
    ready_cluster: ReadyCluster, dbmate: Dbmate, nats: LocalServer, redis_url: str
) -> None:
    # The cluster is not used: whoever makes it lets the server's user reach the programs.
    with running_lagging_pair() as pair:
        dbmate(pair.primary.url, "up")
        report = await run(pair.primary.url, redis_url, nats.url, Scale(operations=10_000, seed=1, seconds=600), pair.standby.url)
    assert report.operations >= 10_000
    assert report.faults.total() > 0
    assert report.violations == []


# --- The checker finds what it is to find ---------------------------------------------------------------------------------


ACCOUNT = UserId(uuid.UUID(int=1))
ORDER = OrderId(uuid.UUID(int=2))
SUBJECT = f"order:{ORDER}"


def placed_and_paid() -> tuple[History, Stored]:
    """Return a history of an order that was placed and paid and read, and what is stored then."""
    place = Operation("place", ACCOUNT, None, None, 1, [Answer("t1", Verdict.DONE, ORDER, 1)], 2)
    pay = Operation(
        "pay", ACCOUNT, ORDER, "key", 3, [Answer("t2", Verdict.UNKNOWN), Answer("t3", Verdict.DONE, ORDER, 2, is_replayed=True)], 4
    )
    history = History([place, pay], [OrderSeen(ORDER, 2, "paid", 5, 6)], [TotalsSeen(ACCOUNT, 1, 0, 5, 6)])
    there = Stored(
        [Entry(1, "order.place", SUBJECT, "done", "placed", "t1"), Entry(2, "order.pay", SUBJECT, "done", "paid", "t2")],
        {str(ORDER): (str(ACCOUNT), "paid", 2)},
        [Event(1, "m1", SUBJECT, "OrderPlaced", "t1", True), Event(2, "m2", SUBJECT, "OrderPaid", "t2", True)],
        [("m1", SUBJECT), ("m2", SUBJECT)],
        dead=0,
        sales=1,
        totals={str(ACCOUNT): (1, 0)},
    )
    return history, there


def kinds(history: History, there: Stored) -> set[str]:
    return {violation.partition(":")[0] for violation in check(history, there)}


def test_a_right_history_is_right() -> None:
    assert check(*placed_and_paid()) == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"orders": {}}, "lost"),
        ({"audit": ()}, "lost"),
        ({"effects": [("m1", SUBJECT)]}, "events"),
        ({"effects": [("m1", SUBJECT), ("m2", SUBJECT), ("m2", SUBJECT)]}, "events"),
        ({"effects": [("m2", SUBJECT), ("m1", SUBJECT)]}, "events"),
        ({"events": ()}, "events"),
        ({"sales": 2}, "events"),
        ({"dead": 1}, "events"),
        ({"totals": {str(ACCOUNT): (0, 0)}}, "stale"),
        ({"orders": {str(ORDER): (str(ACCOUNT), "shipped", 3)}}, "audit"),
    ],
)
def test_what_is_stored_wrongly_is_found(changes: dict[str, Any], kind: str) -> None:
    history, there = placed_and_paid()
    assert kind in kinds(history, replace(there, **changes))


def test_what_happened_twice_is_found() -> None:
    history, there = placed_and_paid()
    again = Entry(3, "order.pay", SUBJECT, "done", "paid", "t3")
    assert "twice" in kinds(history, replace(there, audit=[*there.audit, again]))


def test_what_failed_and_happened_is_found() -> None:
    history, there = placed_and_paid()
    history.operations[1].answers[:] = [Answer("t2", Verdict.FAILED)]
    assert "phantom" in kinds(history, there)


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (OrderSeen(ORDER, 1, "placed", 5, 6), "stale"),
        (OrderSeen(ORDER, 2, "shipped", 5, 6), "dirty"),
        (OrderSeen(ORDER, 2, "paid", 1, 2), "future"),
    ],
)
def test_a_wrong_read_of_an_order_is_found(seen: OrderSeen, kind: str) -> None:
    history, there = placed_and_paid()
    history.orders_seen[:] = [seen]
    assert kind in kinds(history, there)


@pytest.mark.parametrize(("seen", "kind"), [(TotalsSeen(ACCOUNT, 0, 0, 5, 6), "stale"), (TotalsSeen(ACCOUNT, 1, 1, 5, 6), "future")])
def test_wrong_totals_are_found(seen: TotalsSeen, kind: str) -> None:
    history, there = placed_and_paid()
    history.totals_seen[:] = [seen]
    assert kind in kinds(history, there)


def renamed() -> tuple[History, Stored]:
    """Return a history of a user whose name was changed twice, the second time by a request that had to be repeated, and read."""
    first = Operation("update", ACCOUNT, None, None, 1, [Answer("t1", Verdict.DONE, None, 2)], 2, name="Grace")
    second = Operation(
        "update",
        ACCOUNT,
        None,
        "key",
        3,
        [Answer("t2", Verdict.UNKNOWN), Answer("t3", Verdict.DONE, None, 3, is_replayed=True)],
        4,
        name="Mary",
    )
    user = f"user:{ACCOUNT}"
    there = Stored(
        [Entry(number, "user.update_profile", user, "done", "", f"t{number}") for number in (1, 2)],
        {},
        [Event(number, f"m{number}", user, "UserProfileUpdated", f"t{number}", True) for number in (1, 2)],
        [("m1", user), ("m2", user)],
        dead=0,
        sales=0,
        totals={},
        users={str(ACCOUNT): ("Mary", 3)},
    )
    seen = [UserSeen(ACCOUNT, 3, "Mary", 5, 6), UserSeen(ACCOUNT, None, "Grace", 5, 6)]
    return History([first, second], users_seen=seen), there


def test_a_right_history_of_a_user_is_right() -> None:
    assert check(*renamed()) == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"users": {str(ACCOUNT): ("Grace", 3)}}, "lost"),
        ({"users": {str(ACCOUNT): ("Mary", 4)}}, "lost"),
        ({"effects": [("m1", f"user:{ACCOUNT}")]}, "events"),
        ({"reused": 1}, "sessions"),
    ],
)
def test_what_is_stored_wrongly_of_a_user_is_found(changes: dict[str, Any], kind: str) -> None:
    history, there = renamed()
    assert kinds(history, replace(there, **changes)) == {kind}


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (UserSeen(ACCOUNT, 2, "Grace", 5, 6), "stale"),
        (UserSeen(ACCOUNT, None, "Ada", 5, 6), "stale"),
        (UserSeen(ACCOUNT, 3, "Grace", 5, 6), "dirty"),
        (UserSeen(ACCOUNT, None, "Joan", 5, 6), "dirty"),
        (UserSeen(ACCOUNT, 3, "Mary", 1, 2), "future"),
    ],
)
def test_a_wrong_read_of_a_user_is_found(seen: UserSeen, kind: str) -> None:
    history, there = renamed()
    history.users_seen[:] = [seen]
    assert kinds(history, there) == {kind}


def test_a_read_of_a_replica_may_be_as_old_as_what_it_has_replayed() -> None:
    history, there = renamed()
    history.replayed[:] = [(0, 0), (7, 3), (9, 6)]
    for began, version, name in ((5, 1, "Ada"), (8, 2, "Grace"), (10, 3, "Mary")):
        history.users_seen[:] = [UserSeen(ACCOUNT, version, name, began, began)]
        assert kinds(history, there) == set()
    history.users_seen[:] = [UserSeen(ACCOUNT, 1, "Ada", 8, 8), UserSeen(ACCOUNT, 2, "Grace", 10, 10)]
    assert [each.partition(":")[0] for each in check(history, there)] == ["stale", "stale"]


def test_a_session_has_ended_by_what_was_acknowledged_and_may_have_by_what_was_not() -> None:
    human = Human(ACCOUNT, "ada@example.org", Secret("battery"))
    session, later = (Session("", "", "", began, began + 1, 0, 0) for began in (1, 9))
    assert not human.may_have_ended(session, 3)
    unknown = End(3, is_over=True)
    human.ends.append(unknown)
    assert [human.may_have_ended(each, 10) for each in (session, later)] == [True, True]
    assert not human.has_ended(session, 10)
    done = End(5)
    human.ends.append(done)
    human.acknowledge(done, 7)
    assert [human.may_have_ended(each, 10) for each in (session, later)] == [True, False]
    assert [human.has_ended(session, at) for at in (7, 8)] == [False, True]
    assert not human.has_ended(later, 20)
    later.ends.append(End(12, 13, is_done=True))
    assert (human.has_ended(later, 14), human.has_ended_everywhere(later, 14)) == (True, False)
