"""Rebuilding of projections, for PostgreSQL and in memory."""

from __future__ import annotations

import asyncio

import pytest

from shop.application.commands.orders import OrderCommands
from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.recovery import Recovery
from shop.application.commands.users import UserCommands
from shop.application.context import Actor, Context
from shop.application.messaging.consumer import Consumer
from shop.application.messaging.messages import Message
from shop.application.messaging.relay import Relay
from shop.application.messaging.sales import SalesLedger
from shop.application.transactions.runner import Retries, Transactions
from shop.domain.events import Event
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, Order, OrderLine
from shop.domain.result import Ok
from shop.domain.users import Profile
from shop.domain.values import EmailAddress, Password, PersonName, UserId

from .memory.broker import MemoryBroker
from .ports import Messaging

CONTEXT = Context(Actor.admin("clerk"), "pytest")
LINE = OrderLine("BOOK-1", "A book", 1, Money(10_00, Currency.EUR))


class Shopping:
    """Orders, the relay, and the consumer `sales`."""

    def __init__(self, messaging: Messaging) -> None:
        transactions = Transactions(messaging.begin, retries=Retries(attempts=100, first_wait=0.001, longest_wait=0.02))
        self.messaging = messaging
        self.orders = OrderCommands(transactions)
        self.transactions = transactions
        self.recovery = Recovery(transactions)
        self.broker = MemoryBroker()
        self.relay = Relay(messaging.pending, self.broker)
        self.process = messaging.process()

    async def customer(self, hasher: PasswordHasher) -> UserId:
        profile = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
        registered = await UserCommands(self.transactions, hasher).register(CONTEXT, profile, Password("correct horse"))
        assert isinstance(registered, Ok)
        return registered.value.id

    async def placed(self, user_id: UserId) -> Order:
        placed = await self.orders.place(CONTEXT, NewOrder(user_id, (LINE,)))
        assert isinstance(placed, Ok)
        return placed.value

    async def paid(self, user_id: UserId) -> Order:
        paid = await self.orders.pay(CONTEXT, (await self.placed(user_id)).id)
        assert isinstance(paid, Ok)
        return paid.value

    async def consume(self, most: int) -> int:
        """Publish everything, and handle at most this number of messages."""
        await self.relay.run_until_empty()
        consumer = Consumer([self.broker.subscribe("sales")], self.process, wait=0.01)
        handled = 0
        while handled < most and await consumer.run_once():
            handled += 1
        return handled

    async def rebuild(self) -> None:
        assert isinstance(await self.recovery.rebuild_sales(CONTEXT), Ok)

    async def sales(self) -> tuple[int, int]:
        days = await self.messaging.sales()
        return sum(day.orders for day in days), sum(day.revenue_minor for day in days)


# How many of the eleven messages below are handled before the sales are rebuilt.
@pytest.mark.parametrize("handled_before", [0, 5, 11])
async def test_rebuilt_sales_include_all_events_and_no_later_delivery_counts_again(
    messaging: Messaging, cheap_hasher: PasswordHasher, handled_before: int
) -> None:
    shopping = Shopping(messaging)
    user = await shopping.customer(cheap_hasher)
    paid = [await shopping.paid(user) for _ in range(3)]
    unpaid = [await shopping.placed(user) for _ in range(2)]
    for order in (paid[0], unpaid[0]):
        assert isinstance(await shopping.orders.cancel(CONTEXT, order.id), Ok)
    assert await shopping.consume(handled_before) == handled_before
    await shopping.rebuild()
    assert await shopping.sales() == (2, 20_00)
    assert await shopping.consume(100) == 11 - handled_before
    assert await shopping.sales() == (2, 20_00)
    await shopping.paid(user)
    await shopping.consume(100)
    await shopping.rebuild()
    assert await shopping.sales() == (3, 30_00)


async def test_rebuilding_sales_settles_their_dead_letters(messaging: Messaging, cheap_hasher: PasswordHasher) -> None:
    async def fail(event: Event, message: Message, ledger: SalesLedger) -> None:
        raise RuntimeError("a mistake")

    shopping = Shopping(messaging)
    shopping.process = messaging.process(fail, attempts=1)
    await shopping.paid(await shopping.customer(cheap_hasher))
    await shopping.consume(100)
    assert len(await messaging.dead()) == 3
    await shopping.rebuild()
    assert await shopping.sales() == (1, 10_00)
    assert [event_type for _, _, event_type, *_ in await messaging.dead()].count("OrderPaid") == 0


async def test_sales_rebuilt_while_events_are_handled_are_correct(messaging: Messaging, cheap_hasher: PasswordHasher) -> None:
    shopping = Shopping(messaging)
    user = await shopping.customer(cheap_hasher)

    async def shop() -> None:
        for _ in range(10):
            await shopping.paid(user)
            await shopping.consume(100)

    async def rebuild() -> None:
        for _ in range(5):
            await shopping.rebuild()

    await asyncio.gather(shop(), rebuild())
    await shopping.consume(100)
    assert await shopping.sales() == (10, 100_00)
