"""Queries as an actor may ask them. Who reads data of others leaves an entry in the audit log."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import TypeVar

from shop.application.authorisation import Action, NotAllowed, refusal
from shop.application.context import Context
from shop.application.reads.audit import AuditSubject
from shop.application.reads.cursors import InvalidCursor
from shop.application.reads.dead_letters import DeadLetterNotFound
from shop.application.reads.models import (
    AuditRecord,
    DailySales,
    DeadLetter,
    DeadMessage,
    OrderDetails,
    OrderSummary,
    Page,
    UserOrderSummary,
    UserSummary,
)
from shop.application.reads.query_service import QueryService
from shop.application.reads.searches import OrderFilter, OrderSort, UserFilter, UserSort
from shop.application.transactions.audit import AuditOutcome
from shop.application.transactions.failures import Unavailable
from shop.application.transactions.trail import Trail
from shop.domain.orders import OrderNotFound
from shop.domain.result import Err, Ok, Result
from shop.domain.users import UserNotFound
from shop.domain.values import InvalidValue, OrderId, UserId

T = TypeVar("T")
E = TypeVar("E")


class GuardedReads:
    """The queries that need a permission, each with its policy. The other ones are those of `QueryService`.

    What users read about themselves is not recorded. Everything else is recorded before it is answered, refusals included; where it
    cannot be recorded, it is unavailable.
    """

    def __init__(self, reads: QueryService, trail: Trail, context: Context) -> None:
        self._reads = reads
        self._trail = trail
        self._context = context

    async def user(self, user_id: UserId) -> Result[UserSummary, UserNotFound | NotAllowed | Unavailable]:
        """Return the data of a user."""
        return await self._if(Action.SHOW_USER, f"user:{user_id}", user_id, lambda: self._reads.user(user_id))

    async def users(self, size: int, cursor: str | None) -> Result[Page[UserSummary], InvalidCursor | NotAllowed | Unavailable]:
        """Return a page of users by registration, oldest first."""
        return await self._if(Action.LIST_USERS, "users", None, lambda: self._reads.users(size, cursor))

    async def find_users(
        self, wanted: UserFilter, sort: UserSort, size: int, cursor: str | None
    ) -> Result[Page[UserSummary], InvalidCursor | NotAllowed | Unavailable]:
        """Return a page of the users that a search finds."""
        return await self._if(Action.FIND_USERS, "users", None, lambda: self._reads.find_users(wanted, sort, size, cursor))

    async def order(self, order_id: OrderId) -> Result[OrderDetails, OrderNotFound | Unavailable]:
        """Return an order with its lines. For those who may not see it, there is none."""

        async def show() -> Result[OrderDetails, OrderNotFound | NotAllowed | Unavailable]:
            read = await self._reads.order(order_id)
            if isinstance(read, Err) and isinstance(read.error, Unavailable):
                return Err(read.error)
            # Nobody owns an unknown order, so it is recorded and refused as one of others: to record it takes most of the time.
            owner = read.value.user_id if isinstance(read, Ok) else None
            return await self._permitted(Action.SHOW_ORDER, f"order:{order_id}", owner, lambda: _answered(read))

        shown = await self._reads.observe(Action.SHOW_ORDER, show)
        # Recorded as what it is, and answered as an unknown order.
        if isinstance(shown, Ok):
            return shown
        return Err(OrderNotFound(order_id)) if isinstance(shown.error, NotAllowed) else Err(shown.error)

    async def order_history(
        self, user_id: UserId, size: int, cursor: str | None
    ) -> Result[Page[OrderSummary], InvalidCursor | NotAllowed | Unavailable]:
        """Return a page of a user's orders, newest first."""
        return await self._if(Action.LIST_ORDERS, f"user:{user_id}", user_id, lambda: self._reads.order_history(user_id, size, cursor))

    async def order_summary(self, user_id: UserId) -> Result[UserOrderSummary, NotAllowed | Unavailable]:
        """Return the totals of a user's orders."""
        return await self._if(Action.LIST_ORDERS, f"user:{user_id}", user_id, lambda: self._reads.order_summary(user_id))

    async def find_orders(
        self, wanted: OrderFilter, sort: OrderSort, size: int, cursor: str | None
    ) -> Result[Page[OrderSummary], InvalidCursor | NotAllowed | Unavailable]:
        """Return a page of the orders that a search finds."""
        return await self._if(Action.FIND_ORDERS, "orders", None, lambda: self._reads.find_orders(wanted, sort, size, cursor))

    async def daily_sales(self, since: date) -> Result[Sequence[DailySales], NotAllowed | Unavailable]:
        """Return the sales since a day, newest first, as far as the consumer `sales` has handled events."""
        return await self._if(Action.SHOW_SALES, "sales", None, lambda: self._reads.daily_sales(since))

    async def audit_entries(
        self, subject: str | None, size: int, cursor: str | None
    ) -> Result[Page[AuditRecord], InvalidValue | InvalidCursor | NotAllowed | Unavailable]:
        """Return a page of the audit log, newest first."""
        # Before anything is recorded: nothing can be removed from the log, so no free text may enter it as a subject.
        about = None if subject is None else AuditSubject.parse(subject)
        if isinstance(about, Err):
            return about
        # Not under the subject itself: its entries are what happened to it, and the next page of them must not begin with this one.
        read = {} if about is None else {"read": about.value.recorded}
        return await self._if(Action.READ_AUDIT_LOG, "audit_log", None, lambda: self._reads.audit_entries(subject, size, cursor), **read)

    async def dead_letters(self, size: int, cursor: str | None) -> Result[Page[DeadLetter], InvalidCursor | NotAllowed | Unavailable]:
        """Return a page of the dead letters, newest first."""
        return await self._if(Action.READ_DEAD_LETTERS, "messages", None, lambda: self._reads.dead_letters(size, cursor))

    async def dead_letter(self, consumer: str, message_id: uuid.UUID) -> Result[DeadMessage, DeadLetterNotFound | NotAllowed | Unavailable]:
        """Return a dead letter with its message."""
        subject = f"message:{message_id}"
        # Without the consumer, which is any text.
        return await self._if(Action.READ_DEAD_LETTERS, subject, None, lambda: self._reads.dead_letter(consumer, message_id))

    async def _if(
        self, action: Action, subject: str, owner: UserId | None, question: Callable[[], Awaitable[Result[T, E]]], **metadata: str
    ) -> Result[T, E | NotAllowed | Unavailable]:
        return await self._reads.observe(action, lambda: self._permitted(action, subject, owner, question, **metadata))

    async def _permitted(
        self, action: Action, subject: str, owner: UserId | None, question: Callable[[], Awaitable[Result[T, E]]], **metadata: str
    ) -> Result[T, E | NotAllowed | Unavailable]:
        actor = self._context.actor
        denied = refusal(actor, action, owner)
        if denied is not None:
            reason = type(denied).__name__
            recorded = await self._trail.record(self._context, action, subject, AuditOutcome.REFUSED, reason=reason, **metadata)
            return recorded if isinstance(recorded, Err) else Err(denied)
        if owner is None or actor.user_id != owner:
            recorded = await self._trail.record(self._context, action, subject, AuditOutcome.DONE, **metadata)
            if isinstance(recorded, Err):
                return recorded
        return await question()


async def _answered(answer: T) -> T:
    return answer
