"""The use cases that write orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from shop.application.context import Context
from shop.application.transactions.failures import Failure, TransactionConflict
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Transactions
from shop.domain.concurrency import ChangedMeanwhile
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
MoveError: TypeAlias = OrderNotFound | WrongStatus


class OrderCommands:
    """Writes orders. Each use case is one transaction with its audit entry and its events."""

    def __init__(self, transactions: Transactions[OrderStores]) -> None:
        self._transactions = transactions

    async def place(self, context: Context, new: NewOrder) -> Result[Order, UserNotFound | Failure]:
        """Place an order."""

        async def work(operation: Operation[OrderStores]) -> Result[Order, UserNotFound]:
            placed = await operation.repositories.orders.add(new)
            match placed:
                case Ok(order):
                    await operation.done(_subject(order.id), total=str(order.total))
                case Err(error):
                    await operation.refused(f"user:{new.user_id}", error)
            return placed

        return await self._transactions.run(context, "order.place", work)

    async def pay(self, context: Context, order_id: OrderId) -> Result[Order, MoveError | Failure]:
        """Mark an order as paid."""
        return await self._move(context, "order.pay", order_id, Order.pay)

    async def ship(self, context: Context, order_id: OrderId) -> Result[Order, MoveError | Failure]:
        """Mark an order as shipped."""
        return await self._move(context, "order.ship", order_id, Order.ship)

    async def cancel(self, context: Context, order_id: OrderId) -> Result[Order, MoveError | Failure]:
        """Cancel an order; what was paid for it is to be refunded."""
        return await self._move(context, "order.cancel", order_id, Order.cancel)

    async def _move(self, context: Context, action: str, order_id: OrderId, move: Move) -> Result[Order, MoveError | Failure]:
        async def work(operation: Operation[OrderStores]) -> Result[Order, MoveError]:
            read = await operation.repositories.orders.get(order_id)
            if isinstance(read, Err):
                await operation.refused(_subject(order_id), read.error)
                return read
            order = read.value
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
                    if isinstance(error, ChangedMeanwhile):
                        # Read again: whether the move is allowed depends on the new status.
                        raise TransactionConflict(str(error))
                    await operation.refused(_subject(order_id), error)
                    return Err(error)

        return await self._transactions.run(context, action, work)


def _subject(order_id: OrderId) -> str:
    return f"order:{order_id}"
