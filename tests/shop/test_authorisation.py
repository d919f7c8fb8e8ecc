"""Who may do what: the table, and that the use cases and the queries ask it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date

import pytest
import pytest_asyncio

from shop.application.authorisation import POLICIES, Action, NotAllowed, refusal
from shop.application.commands.orders import OrderCommands
from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.sessions import SessionCommands
from shop.application.commands.users import UserCommands
from shop.application.context import Actor, Context, Once
from shop.application.messaging.retirement import Retirement
from shop.application.reads.guarded import GuardedReads
from shop.application.reads.query_service import QueryService
from shop.application.reads.searches import OrderFilter, UserFilter
from shop.application.transactions.answers import AlreadyAnswered
from shop.application.transactions.audit import AuditOutcome
from shop.application.transactions.runner import Transactions
from shop.application.transactions.trail import AuditTrail
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, OrderLine, OrderNotFound
from shop.domain.result import Err, Ok, Result
from shop.domain.users import Profile, Role
from shop.domain.values import EmailAddress, OrderId, Password, PersonName, UserId
from shop.infrastructure.memory.sessions import MemorySessionStore

from .memory.broker import MemoryBroker
from .memory.reads import memory_reads
from .memory.store import MemoryStore
from .ports import session_commands

OWNER, OTHER = UserId(uuid.UUID(int=1)), UserId(uuid.UUID(int=2))


def actors(owner: UserId) -> dict[str, Actor]:
    return {
        "anonymous": Actor.anonymous(),
        "self": Actor.user(owner),
        "customer": Actor.user(OTHER),
        "clerk": Actor.user(OTHER, Role.CLERK),
        "admin": Actor.user(OTHER, Role.ADMIN),
        "operator": Actor.admin("root"),
        "system": Actor.system("relay"),
    }


ALL = "anonymous self customer clerk admin operator system"
STAFF = "clerk admin operator system"
ADMINS = "admin operator system"

# The whole table: who may do it to what OWNER owns.
ALLOWED = {
    Action.REGISTER: ALL,
    Action.IMPORT_USERS: ADMINS,
    Action.SHOW_USER: f"self {STAFF}",
    Action.LIST_USERS: STAFF,
    Action.FIND_USERS: STAFF,
    Action.ACT_AS: ADMINS,
    Action.UPDATE_PROFILE: f"self {ADMINS}",
    Action.CHANGE_PASSWORD: f"self {ADMINS}",
    Action.LIST_SESSIONS: f"self {ADMINS}",
    Action.END_SESSION: f"self {ADMINS}",
    Action.END_SESSIONS: f"self {ADMINS}",
    Action.DELETE_USER: f"self {ADMINS}",
    Action.ERASE_USER: f"self {ADMINS}",
    Action.GRANT_ROLE: ADMINS,
    Action.PLACE_ORDER: f"self {STAFF}",
    Action.SHOW_ORDER: f"self {STAFF}",
    Action.LIST_ORDERS: f"self {STAFF}",
    Action.FIND_ORDERS: STAFF,
    Action.PAY_ORDER: f"self {STAFF}",
    Action.SHIP_ORDER: STAFF,
    Action.CANCEL_ORDER: f"self {STAFF}",
    Action.SHOW_SALES: STAFF,
    Action.READ_AUDIT_LOG: ADMINS,
    Action.READ_DEAD_LETTERS: ADMINS,
    Action.RETIRE_CONSUMER: ADMINS,
}


@pytest.mark.parametrize("action", Action)
def test_the_table(action: Action) -> None:
    allowed = {name for name, actor in actors(OWNER).items() if refusal(actor, action, OWNER) is None}
    assert allowed == set(ALLOWED[action].split())
    assert set(POLICIES) == set(Action)


def test_nobody_owns_what_has_no_owner() -> None:
    assert refusal(Actor.anonymous(), Action.SHOW_USER, None) == NotAllowed(Action.SHOW_USER, anonymous=True)
    assert refusal(Actor.user(OWNER), Action.SHOW_USER, None) == NotAllowed(Action.SHOW_USER, anonymous=False)


ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
GRACE = Profile(PersonName("Grace", "Hopper"), EmailAddress("grace@example.org"))
ROOT = Profile(PersonName("Root", "Hopper"), EmailAddress("root@example.org"))
PASSWORD = Password("correct horse")
LINE = OrderLine("BOOK-1", "A book", 1, Money(1, Currency.EUR))
SYSTEM = Context(Actor.system("test"), "pytest")


OF_AN_ORDER = {Action.SHOW_ORDER, Action.PAY_ORDER, Action.SHIP_ORDER, Action.CANCEL_ORDER}
READS = {
    Action.SHOW_USER,
    Action.LIST_USERS,
    Action.FIND_USERS,
    Action.LIST_SESSIONS,
    Action.SHOW_ORDER,
    Action.LIST_ORDERS,
    Action.FIND_ORDERS,
    Action.SHOW_SALES,
    Action.READ_AUDIT_LOG,
    Action.READ_DEAD_LETTERS,
}


@dataclass
class Service:
    """The use cases, with a user who has an order."""

    store: MemoryStore
    users: UserCommands
    orders: OrderCommands
    sessions: SessionCommands
    queries: QueryService
    owner: UserId
    order: OrderId
    administrator: UserId

    def call(self, action: Action, context: Context) -> Awaitable[Result[object, object]]:
        """Perform an action on what the owner owns."""
        reads = GuardedReads(self.queries, AuditTrail(self.store.begin), context)
        retirement = Retirement(MemoryBroker(), AuditTrail(self.store.begin))
        calls: dict[Action, Callable[[], Awaitable[Result[object, object]]]] = {
            Action.REGISTER: lambda: self.users.register(context, GRACE, PASSWORD),
            Action.IMPORT_USERS: lambda: self.users.import_batch(context, []),
            Action.SHOW_USER: lambda: reads.user(self.owner),
            Action.LIST_USERS: lambda: reads.users(1, None),
            Action.FIND_USERS: lambda: reads.find_users(UserFilter(), "oldest", 1, None),
            Action.ACT_AS: lambda: self.users.act_as(context, self.administrator),
            Action.UPDATE_PROFILE: lambda: self.users.update_profile(context, self.owner, GRACE),
            Action.CHANGE_PASSWORD: lambda: self.users.change_password(context, self.owner, PASSWORD.text, PASSWORD),
            Action.LIST_SESSIONS: lambda: self.sessions.sessions(context, self.owner),
            Action.END_SESSION: lambda: self.sessions.end(context, self.owner, "0" * 32),
            Action.END_SESSIONS: lambda: self.sessions.end_all(context, self.owner),
            Action.ERASE_USER: lambda: self.users.erase(context, self.owner),
            Action.DELETE_USER: lambda: self.users.delete(context, self.owner),
            Action.GRANT_ROLE: lambda: self.users.grant(context, self.owner, Role.CLERK),
            Action.PLACE_ORDER: lambda: self.orders.place(context, NewOrder(self.owner, (LINE,))),
            Action.SHOW_ORDER: lambda: reads.order(self.order),
            Action.LIST_ORDERS: lambda: reads.order_history(self.owner, 1, None),
            Action.FIND_ORDERS: lambda: reads.find_orders(OrderFilter(), "newest", 1, None),
            Action.PAY_ORDER: lambda: self.orders.pay(context, self.order),
            Action.SHIP_ORDER: lambda: self.orders.ship(context, self.order),
            Action.CANCEL_ORDER: lambda: self.orders.cancel(context, self.order),
            Action.SHOW_SALES: lambda: reads.daily_sales(date(2026, 1, 1)),
            Action.READ_AUDIT_LOG: lambda: reads.audit_entries(None, 1, None),
            Action.READ_DEAD_LETTERS: lambda: reads.dead_letters(1, None),
            Action.RETIRE_CONSUMER: lambda: retirement.retire(context, "invoices"),
        }
        return calls[action]()


@pytest_asyncio.fixture
async def service(cheap_hasher: PasswordHasher) -> Service:
    """The use cases on adapters in memory."""
    store = MemoryStore()
    transactions = Transactions(store.begin)
    users, orders = UserCommands(transactions, cheap_hasher), OrderCommands(transactions)
    sessions = session_commands(users, transactions, MemorySessionStore())
    registered = await users.register(SYSTEM, ADA, PASSWORD)
    assert isinstance(registered, Ok)
    root = await users.register(SYSTEM, ROOT, PASSWORD)
    assert isinstance(root, Ok)
    assert await users.grant(SYSTEM, root.value.id, Role.ADMIN) == Ok(None)
    placed = await orders.place(SYSTEM, NewOrder(registered.value.id, (LINE,)))
    assert isinstance(placed, Ok)
    return Service(store, users, orders, sessions, QueryService(memory_reads(store)), registered.value.id, placed.value.id, root.value.id)


@pytest.mark.parametrize("action", Action)
async def test_every_use_case_and_query_asks_the_table_and_records_refusals_and_reads(service: Service, action: Action) -> None:
    committed = service.store.state
    for name, actor in actors(service.owner).items():
        service.store.state = committed.copy()
        result = await service.call(action, Context(actor, "pytest"))
        is_denied = name not in ALLOWED[action].split()
        # Who may not see an order is not even answered that there is one.
        is_hidden = action in OF_AN_ORDER and name not in ALLOWED[Action.SHOW_ORDER].split()
        refused = OrderNotFound(service.order) if is_hidden else NotAllowed(action, anonymous=name == "anonymous")
        assert (result == Err(refused)) is is_denied, (name, result)
        state = service.store.state
        if is_denied:
            assert (state.users, state.orders, state.outbox) == (committed.users, committed.orders, committed.outbox)
        about_others = is_denied or (action in READS and name != "self")
        new = [entry for _, entry in state.audit[len(committed.audit) :]]
        if is_denied or action in READS:
            outcome = AuditOutcome.REFUSED if is_denied else AuditOutcome.DONE
            assert [(entry.action, entry.outcome) for entry in new] == [(action, outcome)] * about_others, name
        if is_denied:
            assert new[0].metadata["reason"] == "NotAllowed"


WITH_KEYS = (
    Action.UPDATE_PROFILE,
    Action.CHANGE_PASSWORD,
    Action.ERASE_USER,
    Action.DELETE_USER,
    Action.GRANT_ROLE,
    Action.PLACE_ORDER,
    Action.PAY_ORDER,
    Action.SHIP_ORDER,
    Action.CANCEL_ORDER,
)


@pytest.mark.parametrize("action", WITH_KEYS)
async def test_a_stored_answer_is_for_those_who_may_do_what_it_answers(service: Service, action: Action) -> None:
    if action is Action.DELETE_USER:
        service.store.state.orders.clear()
    if action is Action.SHIP_ORDER:
        assert isinstance(await service.orders.pay(SYSTEM, service.order), Ok)
    once = Once("1", b"", lambda _: b"everything about the owner")
    administrator = Context(Actor.user(OTHER, Role.ADMIN), "pytest", once=once)
    assert isinstance(await service.call(action, administrator), Ok)
    answered = Err(AlreadyAnswered(b"everything about the owner"))
    assert await service.call(action, administrator) == answered
    # The same user, whose role has been revoked since.
    revoked = await service.call(action, Context(Actor.user(OTHER), "pytest", once=once))
    assert isinstance(revoked, Err)
    assert revoked.error != answered.error
    (_, entry) = service.store.state.audit[-1]
    assert (entry.action, entry.outcome, entry.metadata) == (action, AuditOutcome.REFUSED, {"reason": "NotAllowed"})
    assert await service.call(action, administrator) == answered


async def test_only_administrators_act_and_are_acted_for(service: Service) -> None:
    operator = Context(Actor.admin("root"), "pytest")
    assert await service.users.act_as(operator, service.administrator) == Ok(Actor.user(service.administrator, Role.ADMIN))
    for role in (Role.CLERK, Role.CUSTOMER):
        assert await service.users.grant(SYSTEM, service.administrator, role) == Ok(None)
        refused = await service.users.act_as(operator, service.administrator)
        assert refused == Err(NotAllowed(Action.ACT_AS, anonymous=False))
    entries = [entry for _, entry in service.store.state.audit if entry.action == Action.ACT_AS]
    assert [(entry.context.actor.text, entry.subject, entry.outcome) for entry in entries] == [
        ("admin:root", f"user:{service.administrator}", outcome)
        for outcome in (AuditOutcome.DONE, AuditOutcome.REFUSED, AuditOutcome.REFUSED)
    ]
