"""What can be done with orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from shop.application.context import Context
from shop.application.transactions import Operation, Transactions
from shop.application.unit_of_work import Failure, TransactionConflict
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.events import Event, OrderCancelled, OrderPaid, OrderPlaced, OrderShipped
from shop.domain.orders import NewOrder, Order, OrderId, OrderNotFound, OrderStatus, WrongStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.users import UserNotFound

Move: TypeAlias = Callable[[Order], Result[Order, WrongStatus]]
Tell: TypeAlias = Callable[[Order], Event]
MoveError: TypeAlias = OrderNotFound | WrongStatus


class OrderCommands:
    """The use cases that write orders. Each is one transaction, with its audit entry and its events."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def place(self, context: Context, new: NewOrder) -> Result[Order, UserNotFound | Failure]:
        """Place an order."""

        async def work(operation: Operation) -> Result[Order, UserNotFound]:
            placed = await operation.orders.add(new)
            match placed:
                case Ok(order):
                    event = OrderPlaced(order.id, order.user_id, order.total)
                    await operation.done(_subject(order.id), event, total=str(order.total))
                case Err(error):
                    await operation.refused(f"user:{new.user_id}", error)
            return placed

        return await self._transactions.run(context, "order.place", work)

    async def pay(self, context: Context, order_id: OrderId) -> Result[Order, MoveError | Failure]:
        """Note that an order was paid."""
        return await self._move(context, "order.pay", order_id, Order.pay, lambda old: OrderPaid(old.id, old.user_id, old.total))

    async def ship(self, context: Context, order_id: OrderId) -> Result[Order, MoveError | Failure]:
        """Note that an order left the house."""
        return await self._move(context, "order.ship", order_id, Order.ship, lambda old: OrderShipped(old.id, old.user_id))

    async def cancel(self, context: Context, order_id: OrderId) -> Result[Order, MoveError | Failure]:
        """Cancel an order; what was paid for it is to be paid back."""

        def cancelled(old: Order) -> OrderCancelled:
            return OrderCancelled(old.id, old.user_id, old.total if old.status is OrderStatus.PAID else None)

        return await self._move(context, "order.cancel", order_id, Order.cancel, cancelled)

    async def _move(self, context: Context, action: str, order_id: OrderId, move: Move, tell: Tell) -> Result[Order, MoveError | Failure]:
        async def work(operation: Operation) -> Result[Order, MoveError]:
            read = await operation.orders.get(order_id)
            if isinstance(read, Err):
                await operation.refused(_subject(order_id), read.error)
                return read
            order = read.value
            moved = move(order)
            if isinstance(moved, Err):
                await operation.refused(_subject(order_id), moved.error, status=order.status)
                return moved
            saved = await operation.orders.save_status(moved.value)
            match saved:
                case Ok(now):
                    await operation.done(_subject(order_id), tell(order), before=order.status, after=now.status)
                    return Ok(now)
                case Err(error):
                    if isinstance(error, ChangedMeanwhile):
                        # Read again: the order's new status decides, and not who was faster.
                        raise TransactionConflict(str(error))
                    await operation.refused(_subject(order_id), error)
                    return Err(error)

        return await self._transactions.run(context, action, work)


def _subject(order_id: OrderId) -> str:
    return f"order:{order_id}"
