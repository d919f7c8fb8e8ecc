"""Clients of the service, concurrent ones for each account: through the use cases, and over HTTP with Idempotency-Key."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Protocol

from shop.application.context import Actor, Context, Once
from shop.application.reads.models import UserOrderSummary
from shop.application.transactions.answers import AlreadyAnswered, KeyInUse
from shop.application.transactions.failures import OutcomeUnknown, TooMuchContention, Unavailable
from shop.bootstrap.service import Shop
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, Order, OrderLine, OrderNotFound, WrongStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.values import OrderId, UserId
from tests.shop.web import LINE, Person

from .history import Answer, History, Operation, OrderSeen, TotalsSeen, Verdict

_LINE: Final = OrderLine("BOOK-1", "A book", 1, Money(10_00, Currency.EUR))
_PATHS: Final = {"pay": "payment", "ship": "shipment", "cancel": "cancellation"}
_REQUESTS: Final = 8


class Door(Protocol):
    """A way to the service."""

    async def write(self, kind: str, account: UserId, order: OrderId | None, key: str | None) -> Answer:
        """Place an order, or move one."""
        ...

    async def totals(self, account: UserId) -> tuple[int, int] | None:
        """Return the number of an account's orders, and of the cancelled ones; None without an answer."""
        ...

    async def order(self, order: OrderId) -> tuple[int, str] | None:
        """Return the version and the status of an order; 0 if it is not found, and None without an answer."""
        ...


class UseCases:
    """Calls the use cases. One request of a hundred is cancelled, as when a client leaves."""

    def __init__(self, shop: Shop, chance: Random) -> None:
        self._shop = shop
        self._chance = chance

    async def write(self, kind: str, account: UserId, order: OrderId | None, key: str | None) -> Answer:
        """Place an order, or move one."""
        once = None if key is None else Once(key, kind.encode(), lambda done: json.dumps([str(done.id), done.version]).encode())
        context = Context(Actor.user(account), "faults", once=once)
        if kind == "ship":
            context = Context(Actor.system("faults"), "faults", once=once)
        limit = self._chance.uniform(0.001, 0.03) if self._chance.random() < 0.01 else None
        try:
            async with asyncio.timeout(limit):
                result = await self._run(context, kind, account, order)
        except TimeoutError:
            return Answer(context.trace_id, Verdict.UNKNOWN)
        match result:
            case Ok(done):
                return Answer(context.trace_id, Verdict.DONE, done.id, done.version)
            case Err(AlreadyAnswered(answer)):
                order_id, version = json.loads(answer)
                return Answer(context.trace_id, Verdict.DONE, OrderId(uuid.UUID(order_id)), version, is_replayed=True)
            case Err(OutcomeUnknown()):
                return Answer(context.trace_id, Verdict.UNKNOWN)
            case Err(Unavailable() | TooMuchContention() | KeyInUse()):
                return Answer(context.trace_id, Verdict.FAILED)
            case Err(WrongStatus() | ChangedMeanwhile()):
                return Answer(context.trace_id, Verdict.REFUSED)
            case Err(error):
                raise AssertionError(f"{kind}: {error}")

    async def _run(self, context: Context, kind: str, account: UserId, order: OrderId | None) -> Result[Order, Any]:
        orders = self._shop.orders
        if order is None:
            return await orders.place(context, NewOrder(account, (_LINE,)))
        return await {"pay": orders.pay, "ship": orders.ship, "cancel": orders.cancel}[kind](context, order)

    async def totals(self, account: UserId) -> tuple[int, int] | None:
        """Return the number of an account's orders, and of the cancelled ones."""
        read = await self._shop.reads.order_summary(account)
        return _numbers(read.value) if isinstance(read, Ok) else None

    async def order(self, order: OrderId) -> tuple[int, str] | None:
        """Return the version and the status of an order."""
        read = await self._shop.reads.order(order)
        if isinstance(read, Err):
            return (0, "") if isinstance(read.error, OrderNotFound) else None
        return read.value.version, read.value.status


class Http:
    """Sends requests over HTTP."""

    def __init__(self, person: Person) -> None:
        self._person = person

    async def write(self, kind: str, account: UserId, order: OrderId | None, key: str | None) -> Answer:
        """Place an order, or move one."""
        headers = {} if key is None else {"Idempotency-Key": key}
        if order is None:
            body = {"user_id": str(account), "lines": [LINE]}
            response = await self._person("POST", "/orders", headers=headers, json=body)
        else:
            response = await self._person("POST", f"/orders/{order}/{_PATHS[kind]}", headers=headers)
        trace, document = response.headers["x-request-id"], response.json()
        if response.is_success:
            is_replayed = "idempotency-replayed" in response.headers
            return Answer(trace, Verdict.DONE, OrderId(uuid.UUID(document["id"])), document["version"], is_replayed=is_replayed)
        match document["type"].removeprefix("urn:shop:problem:"):
            case "outcome-unknown" | "timeout":
                return Answer(trace, Verdict.UNKNOWN)
            case "unavailable" | "too-much-contention" | "key-in-use":
                return Answer(trace, Verdict.FAILED)
            case "wrong-status" | "changed-meanwhile":
                return Answer(trace, Verdict.REFUSED)
            case problem:
                raise AssertionError(f"{kind}: {problem}")

    async def totals(self, account: UserId) -> tuple[int, int] | None:
        """Return the number of an account's orders, and of the cancelled ones."""
        response = await self._person("GET", f"/users/{account}/orders/totals")
        return _numbers(UserOrderSummary.model_validate(response.json())) if response.is_success else None

    async def order(self, order: OrderId) -> tuple[int, str] | None:
        """Return the version and the status of an order."""
        response = await self._person("GET", f"/orders/{order}")
        assert response.status_code in {200, 404, 503, 504}, response.text
        if response.status_code == 404:
            return 0, ""
        return (response.json()["version"], response.json()["status"]) if response.is_success else None


def _numbers(summary: UserOrderSummary) -> tuple[int, int]:
    return sum(each.orders for each in summary.totals), sum(each.cancelled for each in summary.totals)


@dataclass
class Account:
    """A user, and the orders that its clients know of."""

    id: UserId
    orders: list[OrderId] = field(default_factory=list[OrderId])

    def recent(self, chance: Random) -> OrderId | None:
        """Return one of the latest orders."""
        return chance.choice(self.orders[-5:]) if self.orders else None


class Client:
    """Places, moves and reads orders of an account, one request after the other."""

    def __init__(self, account: Account, door: Door, history: History, chance: Random) -> None:
        self._account = account
        self._door = door
        self._history = history
        self._chance = chance

    async def run(self, goes_on: Callable[[], bool]) -> None:
        """Work as long as `goes_on` is true."""
        while goes_on():
            try:
                await self._step()
            except Exception as error:  # noqa: BLE001 - whatever the service raises is a defect
                self._history.defects.append(f"{type(error).__name__}: {error}")

    async def _step(self) -> None:
        order, dice = self._account.recent(self._chance), self._chance.random()
        if order is None or dice < 0.3:
            await self._write("place", None)
        elif dice < 0.75:
            await self._write(self._chance.choices(["pay", "ship", "cancel"], [6, 3, 1])[0], order)
        elif dice < 0.9:
            began = self._history.now()
            totals = await self._door.totals(self._account.id)
            if totals is None:
                self._history.unanswered_reads += 1
            else:
                self._history.totals_seen.append(TotalsSeen(self._account.id, *totals, began, self._history.now()))
        else:
            began = self._history.now()
            seen = await self._door.order(order)
            if seen is None:
                self._history.unanswered_reads += 1
            else:
                self._history.orders_seen.append(OrderSeen(order, *seen, began, self._history.now()))

    async def _write(self, kind: str, order: OrderId | None) -> None:
        key = f"{self._chance.getrandbits(128):032x}" if self._chance.random() < 0.5 else None
        operation = Operation(kind, self._account.id, order, key, self._history.now())
        try:
            for number in range(1 if key is None else _REQUESTS):
                await asyncio.sleep(0.02 * number)
                operation.answers.append(await self._door.write(kind, self._account.id, order, key))
                if operation.answers[-1].verdict in {Verdict.DONE, Verdict.REFUSED}:
                    break
        finally:
            operation.ended = self._history.now()
            if operation.answers:
                self._history.operations.append(operation)
        if order is None and operation.verdict is Verdict.DONE:
            placed = operation.done.order
            assert placed is not None
            self._account.orders.append(placed)
