"""What is made good after a loss behind the outbox: projections that are built anew, and what health sees of a stream that lost messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from shop.application.consumer import OnceInEffect, Verdict
from shop.application.context import Actor, Context
from shop.application.order_commands import OrderCommands
from shop.application.passwords import PasswordHasher
from shop.application.recovery import Recovery
from shop.application.sales import keep_sales
from shop.application.transactions import Transactions
from shop.application.user_commands import UserCommands
from shop.domain.events import Event
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, Order, OrderLine
from shop.domain.result import Ok
from shop.domain.users import Profile
from shop.domain.values import EmailAddress, Password, PersonName

from .conftest import Messaging

CONTEXT = Context(Actor.system("test"), "pytest")
LINE = OrderLine("BOOK-1", "A book", 1, Money(10_00, Currency.EUR))
LEASE = 60.0


class Shopping:
    """Orders of one user, and the consumer `sales`."""

    def __init__(self, messaging: Messaging, hasher: PasswordHasher) -> None:
        transactions = Transactions(messaging.begin)
        self.messaging = messaging
        self.users = UserCommands(transactions, hasher)
        self.orders = OrderCommands(transactions)
        self.recovery = Recovery(transactions)
        self.process = OnceInEffect(messaging.inbox("sales"), keep_sales)

    async def paid(self) -> Order:
        address = EmailAddress("ada@example.org")
        user = await self.users.authenticate(CONTEXT, address, "correct horse")
        if not isinstance(user, Ok):
            registered = await self.users.register(CONTEXT, Profile(PersonName("Ada", "Lovelace"), address), Password("correct horse"))
            assert isinstance(registered, Ok)
            user = registered
        placed = await self.orders.place(CONTEXT, NewOrder(user.value.id, (LINE,)))
        assert isinstance(placed, Ok)
        paid = await self.orders.pay(CONTEXT, placed.value.id)
        assert isinstance(paid, Ok)
        return paid.value

    async def consume(self) -> None:
        """Handle all that waits in the outbox, as if it had come through the broker; all of it waits again."""
        waiting = [each async for each in self._waiting()]
        for message in waiting:
            assert await self.process(message) is Verdict.HANDLED
