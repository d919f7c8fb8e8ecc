"""The use cases that write orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from shop.application.authorisation import Action, NotAllowed, sees_order
from shop.application.context import Context
from shop.application.transactions.failures import Failure, TransactionConflict
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Transactions
from shop.domain.concurrency import ChangedMeanwhile, Versions
from shop.domain.orders import NewOrder, Order, OrderNotFound, OrderRepository, WrongStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.users import UserNotFound
from shop.domain.values import OrderId


class OrderStores(Protocol):
    """The repositories that these use cases require."""

    @property
    def orders(self) -> OrderRepository:
        """The orders."""
        ...


Move: TypeAlias = Callable[[Order], Result[Order, WrongStatus]]
MoveError: TypeAlias = OrderNotFound | WrongStatus | NotAllowed | ChangedMeanwhile


class OrderCommands:
    """Writes orders. Each use case is one transaction with its audit entry and its events.

    With `versions`, an order is changed only if its version is still one of them.
    """

    def __init__(self, transactions: Transactions[OrderStores]) -> None:
        self._transactions = transactions

    async def place(self, context: Context, new: NewOrder) -> Result[Order, UserNotFound | NotAllowed | Failure]:
        """Place an order."""

        async def work(operation: Operation[OrderStores]) -> Result[Order, UserNotFound | NotAllowed]:
            if (denied := await operation.denied(f"user:{new.user_id}", new.user_id)) is not None:
                return denied
            placed = await operation.repositories.orders.add(new)
            match placed:
                case Ok(order):
                    await operation.done(_subject(order.id), total=str(order.total))
                case Err(error):
                    await operation.refused(f"user:{new.user_id}", error)
            return placed

        return await self._transactions.run(context, Action.PLACE_ORDER, work)

    async def pay(self, context: Context, order_id: OrderId, versions: Versions = None) -> Result[Order, MoveError | Failure]:
        """Mark an order as paid."""
        return await self._move(context, Action.PAY_ORDER, order_id, versions, Order.pay)

    async def ship(self, context: Context, order_id: OrderId, versions: Versions = None) -> Result[Order, MoveError | Failure]:
        """Mark an order as shipped."""
        return await self._move(context, Action.SHIP_ORDER, order_id, versions, Order.ship)

    async def cancel(self, context: Context, order_id: OrderId, versions: Versions = None) -> Result[Order, MoveError | Failure]:
        """Cancel an order; what was paid for it is to be refunded."""
        return await self._move(context, Action.CANCEL_ORDER, order_id, versions, Order.cancel)

    async def _move(
        self, context: Context, action: Action, order_id: OrderId, versions: Versions, move: Move
    ) -> Result[Order, MoveError | Failure]:
        async def work(operation: Operation[OrderStores]) -> Result[Order, MoveError]:
            read = await operation.repositories.orders.get(order_id)
            if isinstance(read, Err):
                await operation.refused(_subject(order_id), read.error)
                return read
            order = read.value
            if (denied := await operation.denied(_subject(order_id), order.user_id)) is not None:
                # Recorded as what it is, and answered as an unknown order.
                return denied if sees_order(context.actor, order.user_id) else Err(OrderNotFound(order_id))
            expected = order.expect_version(versions)
            if isinstance(expected, Err):
                await operation.refused(_subject(order_id), expected.error)
                return expected
            moved = move(order)
            if isinstance(moved, Err):
                await operation.refused(_subject(order_id), moved.error, status=order.status)
                return moved
            saved = await operation.repositories.orders.save_status(moved.value)
            match saved:
                case Ok(now):
                    await operation.done(_subject(order_id), before=order.status, after=now.status)
                    return Ok(now)
                case Err(error):
                    if isinstance(error, ChangedMeanwhile) and versions is None:
                        # Read again: whether the move is allowed depends on the new status.
                        raise TransactionConflict(str(error))
                    await operation.refused(_subject(order_id), error)
                    return Err(error)

        return await self._transactions.run(context, action, work)


def _subject(order_id: OrderId) -> str:
    return f"order:{order_id}"
