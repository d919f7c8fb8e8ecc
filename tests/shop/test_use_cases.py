"""The use cases, on adapters in memory: outcomes, audit entries, events, retries."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from shop.application.commands.orders import OrderCommands
from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.users import UserCommands, WrongCredentials
from shop.application.context import CURRENT_TRACE, Actor, Context
from shop.application.messaging.messages import decode
from shop.application.transactions.failures import (
    CommitOutcomeUnknown,
    OutcomeUnknown,
    StoreDefect,
    StoreLost,
    TooMuchContention,
    TransactionConflict,
    Unavailable,
)
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Retries, Transactions
from shop.application.transactions.unit_of_work import UnitOfWork
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.events import (
    AuthenticationFailed,
    AuthenticationSucceeded,
    Event,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    UserDeleted,
    UserPasswordChanged,
    UserProfileUpdated,
    UserRegistered,
)
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, Order, OrderLine, OrderNotFound, OrderStatus, WrongStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, NewUser, Profile, User, UserHasOrders, UserNotFound
from shop.domain.values import EmailAddress, OrderId, Password, PasswordHash, PersonName, PhoneNumber, UserId

from .memory.store import MemoryStore
from .ports import Repositories

ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
PASSWORD = Password("correct horse")
CONTEXT = Context(Actor.admin("test"), "pytest", "trace-1")
LINE = OrderLine("BOOK-1", "A book", 2, Money(12_50, Currency.EUR))
TOTAL = Money(25_00, Currency.EUR)
UNKNOWN = UserId(uuid.UUID(int=1))


T = TypeVar("T")


def login(email: str) -> str:
    return f"login:{hashlib.sha256(email.encode()).hexdigest()}"


@dataclass
class Service:
    """Use cases on a store with injected failures."""

    hasher: PasswordHasher
    store: MemoryStore = field(default_factory=MemoryStore)
    failures: list[Exception] = field(default_factory=list[Exception])
    waits: list[float] = field(default_factory=list[float])
    notified: list[Event] = field(default_factory=list[Event])

    def __post_init__(self) -> None:
        self.transactions = Transactions(
            self.begin, after_commit=self.notify, retries=Retries(attempts=3, first_wait=0.1, longest_wait=0.15), sleep=self.wait
        )
        self.users = UserCommands(self.transactions, self.hasher)
        self.orders = OrderCommands(self.transactions)

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[UnitOfWork[Repositories]]:
        async with self.store.begin() as uow:
            if self.failures:
                raise self.failures.pop(0)
            yield uow

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def notify(self, events: Sequence[Event]) -> None:
        self.notified.extend(events)

    @property
    def audit(self) -> list[tuple[str, str, str]]:
        return [(entry.action, entry.subject, entry.outcome) for _, entry in self.store.state.audit]

    @property
    def events(self) -> list[Event]:
        return [decode(row.message) for row in self.store.state.outbox.values()]

    async def registered(self) -> User:
        return ok(await self.users.register(CONTEXT, ADA, PASSWORD))

    async def placed(self) -> Order:
        user = await self.registered()
        return ok(await self.orders.place(CONTEXT, NewOrder(user.id, (LINE,))))


def ok(result: Result[T, object]) -> T:
    assert isinstance(result, Ok), result
    return result.value


@pytest.fixture
def service(cheap_hasher: PasswordHasher) -> Service:
    """The use cases, on an empty store."""
    return Service(cheap_hasher)


# --- Users --------------------------------------------------------------------------------------------------------------


async def test_registering_writes_the_user_an_audit_entry_and_an_event_with_the_trace(service: Service) -> None:
    user = await service.registered()
    assert service.store.state.users == {user.id: user}
    assert service.audit == [("user.register", f"user:{user.id}", "done")]
    assert service.events == [UserRegistered(user.id)]
    assert [row.message.trace_id for row in service.store.state.outbox.values()] == ["trace-1"]
    assert service.notified == [UserRegistered(user.id)]


async def test_registering_a_taken_address_is_refused_and_audited(service: Service) -> None:
    user = await service.registered()
    assert await service.users.register(CONTEXT, ADA, PASSWORD) == Err(EmailTaken(ADA.email))
    assert service.audit[1:] == [("user.register", login("ada@example.org"), "refused")]
    assert service.events == [UserRegistered(user.id)]


async def test_the_right_password_authenticates(service: Service) -> None:
    user = await service.registered()
    assert await service.users.authenticate(CONTEXT, ADA.email, PASSWORD.text) == Ok(user)
    assert service.audit[-1] == ("user.authenticate", f"user:{user.id}", "done")
    assert service.events[-1] == AuthenticationSucceeded(user.id)


@pytest.mark.parametrize("address", ["ada@example.org", "nobody@example.org"])
async def test_a_failed_login_is_audited_under_the_user_if_there_is_one_and_published_without_the_reason(
    service: Service, address: str
) -> None:
    user = await service.registered()
    email = EmailAddress(address)
    assert await service.users.authenticate(CONTEXT, email, "guessed") == Err(WrongCredentials())
    subject = f"user:{user.id}" if email == ADA.email else login(address)
    assert service.audit[-1] == ("user.authenticate", subject, "refused")
    assert service.events[-1] == AuthenticationFailed(email)


async def test_an_outdated_hash_is_replaced_by_a_login(service: Service) -> None:
    async with service.store.begin() as uow:
        ok(await uow.repositories.users.add(NewUser(ADA, PasswordHash(f"$v1${PASSWORD.text.encode().hex()}"))))
        await uow.commit()
    user = ok(await service.users.authenticate(CONTEXT, ADA.email, PASSWORD.text))
    assert service.store.state.users[user.id].password == await service.hasher.hash(PASSWORD.text)


async def test_a_profile_is_replaced(service: Service) -> None:
    user = await service.registered()
    profile = Profile(ADA.name, ADA.email, PhoneNumber("+1 555 0001"))
    updated = ok(await service.users.update_profile(CONTEXT, user.id, profile))
    assert (updated.profile, updated.version) == (profile, 2)
    assert service.events[-1] == UserProfileUpdated(user.id)


async def test_an_outdated_profile_change_is_refused(service: Service) -> None:
    user = await service.registered()
    updated = ok(await service.users.update_profile(CONTEXT, user.id, ADA, versions={1}))
    assert await service.users.update_profile(CONTEXT, user.id, ADA, versions={1}) == Err(ChangedMeanwhile("user", user.id))
    assert service.store.state.users[user.id] == updated
    assert service.audit[-1] == ("user.update_profile", f"user:{user.id}", "refused")


async def test_the_old_password_allows_a_new_one(service: Service) -> None:
    user = await service.registered()
    new = Password("battery staple")
    assert await service.users.change_password(CONTEXT, user.id, PASSWORD.text, new) == Ok(None)
    assert isinstance(await service.users.authenticate(CONTEXT, ADA.email, new.text), Ok)
    assert isinstance(await service.users.authenticate(CONTEXT, ADA.email, PASSWORD.text), Err)
    assert UserPasswordChanged(user.id) in service.events


async def test_a_wrong_old_password_changes_nothing(service: Service) -> None:
    user = await service.registered()
    assert await service.users.change_password(CONTEXT, user.id, "guessed", Password("battery staple")) == Err(WrongCredentials())
    assert service.store.state.users[user.id] == user
    assert service.events[-1] == AuthenticationFailed(ADA.email)


async def test_a_password_change_of_an_unknown_user_is_refused_and_audited(service: Service) -> None:
    assert await service.users.change_password(CONTEXT, UNKNOWN, "guessed", Password("battery staple")) == Err(UserNotFound(UNKNOWN))
    assert service.audit == [("user.change_password", f"user:{UNKNOWN}", "refused")]


async def test_a_deleted_user_does_not_exist(service: Service) -> None:
    user = await service.registered()
    assert await service.users.delete(CONTEXT, user.id) == Ok(None)
    assert await service.users.delete(CONTEXT, user.id) == Err(UserNotFound(user.id))
    assert service.events == [UserRegistered(user.id), UserDeleted(user.id)]


async def test_a_user_with_orders_is_not_deleted(service: Service) -> None:
    order = await service.placed()
    assert await service.users.delete(CONTEXT, order.user_id) == Err(UserHasOrders(order.user_id))
    assert service.audit[-1] == ("user.delete", f"user:{order.user_id}", "refused")


# --- Orders -------------------------------------------------------------------------------------------------------------


async def test_an_order_is_placed_paid_and_shipped_with_an_event_each(service: Service) -> None:
    order = await service.placed()
    ok(await service.orders.pay(CONTEXT, order.id))
    shipped = ok(await service.orders.ship(CONTEXT, order.id))
    assert (shipped.status, shipped.version) == (OrderStatus.SHIPPED, 3)
    assert service.events[1:] == [
        OrderPlaced(order.id, order.user_id, TOTAL),
        OrderPaid(order.id, order.user_id, TOTAL),
        OrderShipped(order.id, order.user_id),
    ]


@pytest.mark.parametrize(("paid", "refund"), [(False, None), (True, TOTAL)])
async def test_a_cancelled_order_refunds_the_paid_amount(service: Service, paid: bool, refund: Money | None) -> None:
    order = await service.placed()
    if paid:
        ok(await service.orders.pay(CONTEXT, order.id))
    ok(await service.orders.cancel(CONTEXT, order.id))
    assert service.events[-1] == OrderCancelled(order.id, order.user_id, refund)


async def test_a_shipped_order_is_not_cancelled(service: Service) -> None:
    order = await service.placed()
    ok(await service.orders.pay(CONTEXT, order.id))
    shipped = ok(await service.orders.ship(CONTEXT, order.id))
    events = service.events
    error = WrongStatus(order.id, OrderStatus.SHIPPED, OrderStatus.CANCELLED)
    assert await service.orders.cancel(CONTEXT, order.id) == Err(error)
    assert service.store.state.orders[order.id] == shipped
    assert service.events == events
    assert service.audit[-1] == ("order.cancel", f"order:{order.id}", "refused")


async def test_an_unknown_user_and_an_unknown_order_are_refused(service: Service) -> None:
    unknown = OrderId(uuid.UUID(int=2))
    assert await service.orders.place(CONTEXT, NewOrder(UNKNOWN, (LINE,))) == Err(UserNotFound(UNKNOWN))
    assert await service.orders.pay(CONTEXT, unknown) == Err(OrderNotFound(unknown))
    assert [outcome for _, _, outcome in service.audit] == ["refused", "refused"]


# --- Failures beneath --------------------------------------------------------------------------------------------------


async def test_a_conflict_is_retried(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.failures = [TransactionConflict("deadlock"), TransactionConflict("deadlock")]
    with caplog.at_level(logging.INFO, "shop.transactions"):
        user = await service.registered()
    assert service.store.state.users == {user.id: user}
    assert len(service.audit) == len(service.events) == 1
    assert [wait <= most for wait, most in zip(service.waits, (0.1, 0.15), strict=True)] == [True, True]
    assert sum("conflict in attempt" in line for line in caplog.messages) == 2


async def test_repeated_conflicts_are_an_outcome(service: Service) -> None:
    service.failures = [TransactionConflict("deadlock")] * 3
    assert await service.users.register(CONTEXT, ADA, PASSWORD) == Err(TooMuchContention(3))
    assert (service.store.state.users, service.audit, service.notified) == ({}, [("user.register", "unknown", "failed")], [])


async def test_a_lost_database_is_an_outcome(service: Service) -> None:
    service.failures = [StoreLost("no connection")]
    assert await service.users.register(CONTEXT, ADA, PASSWORD) == Err(Unavailable("no connection"))


async def test_an_unknown_outcome_of_a_commit_is_returned_and_never_retried(service: Service) -> None:
    service.failures = [CommitOutcomeUnknown("the connection broke")]
    assert await service.users.register(CONTEXT, ADA, PASSWORD) == Err(OutcomeUnknown("user.register"))
    assert (service.waits, service.notified) == ([], [])


async def test_a_defect_is_raised(service: Service) -> None:
    service.failures = [StoreDefect("42P01: no such table")]
    with pytest.raises(StoreDefect):
        await service.registered()


async def test_a_failure_after_the_commit_is_no_failure_of_the_use_case(
    service: Service, cheap_hasher: PasswordHasher, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(events: Sequence[Event]) -> None:
        raise ConnectionError("the cache is down")

    users = UserCommands(Transactions(service.begin, after_commit=fail), cheap_hasher)
    assert isinstance(await users.register(CONTEXT, ADA, PASSWORD), Ok)
    assert "user.register: the listener failed after the commit" in caplog.messages


async def test_the_trace_is_set_only_within_a_use_case(service: Service) -> None:
    async def work(operation: Operation[Repositories]) -> Result[str, None]:
        return Ok(CURRENT_TRACE.get())

    assert await service.transactions.run(CONTEXT, "look", work) == Ok("trace-1")
    assert CURRENT_TRACE.get() == ""
