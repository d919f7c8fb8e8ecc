"""The contract of an `OrderRepository`, for PostgreSQL and in memory."""

from __future__ import annotations

import uuid
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, Order, OrderLine, OrderNotFound, OrderRepository, OrderStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.users import NewUser, Profile, UserHasOrders, UserNotFound, UserRepository
from shop.domain.values import EmailAddress, OrderId, PasswordHash, PersonName, UserId

HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")
BOOK = OrderLine("BOOK-1", "A book", 2, Money(12_50, Currency.EUR))
PEN = OrderLine("PEN", 'A pen; DROP TABLE orders --%s $1 {"a"}', 10, Money(0, Currency.EUR))
lines = st.builds(
    OrderLine,
    st.from_regex(r"[A-Z0-9]{1,10}(-[A-Z0-9]{1,10})?", fullmatch=True),
    st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=200),
    st.integers(1, 1000),
    st.builds(Money, st.integers(0, 10**9), st.just(Currency.GBP)),
)


def ok(result: Result[Order, object]) -> Order:
    assert isinstance(result, Ok), result
    return result.value


async def register(users: UserRepository, address: str = "ada@example.org") -> UserId:
    added = await users.add(NewUser(Profile(PersonName("Ada", "Lovelace"), EmailAddress(address)), HASH))
    assert isinstance(added, Ok)
    return added.value.id


async def test_a_placed_order_is_returned_unchanged(users: UserRepository, orders: OrderRepository) -> None:
    user_id = await register(users)
    placed = ok(await orders.add(NewOrder(user_id, (BOOK, PEN, BOOK))))
    assert (placed.user_id, placed.lines, placed.status, placed.version) == (user_id, (BOOK, PEN, BOOK), OrderStatus.PLACED, 1)
    assert placed.placed_at == placed.updated_at
    assert await orders.get(placed.id) == Ok(placed)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(lines, min_size=1, max_size=100))
async def test_any_lines_are_returned_unchanged_and_in_order(
    users: UserRepository, orders: OrderRepository, ordered: list[OrderLine]
) -> None:
    user_id = await register(users, f"{uuid.uuid4().hex}@example.org")
    placed = ok(await orders.add(NewOrder(user_id, tuple(ordered))))
    assert ok(await orders.get(placed.id)).lines == tuple(ordered)


async def test_an_order_of_an_unknown_user_is_user_not_found_and_the_transaction_continues(
    users: UserRepository, orders: OrderRepository
) -> None:
    unknown = UserId(uuid.UUID(int=1))
    assert await orders.add(NewOrder(unknown, (BOOK,))) == Err(UserNotFound(unknown))
    assert isinstance(await orders.add(NewOrder(await register(users), (BOOK,))), Ok)


async def test_an_unknown_order_is_order_not_found(users: UserRepository, orders: OrderRepository) -> None:
    placed = ok(await orders.add(NewOrder(await register(users), (BOOK,))))
    unknown = OrderId(uuid.UUID(int=1))
    assert await orders.get(unknown) == Err(OrderNotFound(unknown))
    assert await orders.save_status(replace(placed, id=unknown)) == Err(OrderNotFound(unknown))


async def test_saving_writes_the_status_and_increments_the_version(users: UserRepository, orders: OrderRepository) -> None:
    user_id = await register(users)
    placed, bystander = [ok(await orders.add(NewOrder(user_id, (BOOK, PEN)))) for _ in range(2)]
    paid = ok(await orders.save_status(ok(placed.pay())))
    assert (paid.status, paid.version) == (OrderStatus.PAID, 2)
    assert paid.updated_at > placed.updated_at
    assert await orders.get(placed.id) == Ok(paid)
    assert await orders.get(bystander.id) == Ok(bystander)


async def test_saving_an_outdated_version_writes_nothing(users: UserRepository, orders: OrderRepository) -> None:
    placed = ok(await orders.add(NewOrder(await register(users), (BOOK,))))
    paid = ok(await orders.save_status(ok(placed.pay())))
    assert await orders.save_status(ok(placed.cancel())) == Err(ChangedMeanwhile("order", placed.id))
    assert await orders.get(placed.id) == Ok(paid)


async def test_a_user_with_orders_is_not_deleted_and_the_transaction_continues(users: UserRepository, orders: OrderRepository) -> None:
    added = await users.get(await register(users))
    assert isinstance(added, Ok)
    user = added.value
    ok(await orders.add(NewOrder(user.id, (BOOK,))))
    assert await users.delete(user) == Err(UserHasOrders(user.id))
    assert isinstance(await users.get(user.id), Ok)
