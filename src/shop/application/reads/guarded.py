"""Queries as an actor may ask them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from shop.application.authorisation import Action, NotAllowed, refusal
from shop.application.context import Actor
from shop.application.reads.cursors import InvalidCursor
from shop.application.reads.models import AuditRecord, OrderDetails, OrderSummary, Page, UserOrderSummary, UserSummary
from shop.application.reads.orders import OrderFilter, OrderSort
from shop.application.reads.query_service import QueryService
from shop.application.reads.users import UserFilter, UserSort
from shop.application.transactions.failures import Unavailable
from shop.domain.orders import OrderNotFound
from shop.domain.result import Err, Result
from shop.domain.users import UserNotFound
from shop.domain.values import OrderId, UserId

T = TypeVar("T")
E = TypeVar("E")


class GuardedReads:
    """The queries that need a permission, each with its policy. The other ones are those of `QueryService`."""

    def __init__(self, reads: QueryService, actor: Actor) -> None:
        self._reads = reads
        self._actor = actor

    async def user(self, user_id: UserId) -> Result[UserSummary, UserNotFound | NotAllowed | Unavailable]:
        """Return the data of a user."""
        return await self._if(Action.SHOW_USER, user_id, lambda: self._reads.user(user_id))

    async def users(self, size: int, cursor: str | None) -> Result[Page[UserSummary], InvalidCursor | NotAllowed | Unavailable]:
        """Return a page of users by registration, oldest first."""
        return await self._if(Action.LIST_USERS, None, lambda: self._reads.users(size, cursor))

    async def find_users(
        self, wanted: UserFilter, sort: UserSort, size: int, cursor: str | None
    ) -> Result[Page[UserSummary], InvalidCursor | NotAllowed | Unavailable]:
        """Return a page of the users that a search finds."""
        return await self._if(Action.FIND_USERS, None, lambda: self._reads.find_users(wanted, sort, size, cursor))

    async def order(self, order_id: OrderId) -> Result[OrderDetails, OrderNotFound | NotAllowed | Unavailable]:
        """Return an order with its lines."""
        read = await self._reads.order(order_id)
        if isinstance(read, Err):
            return read
        denied = refusal(self._actor, Action.SHOW_ORDER, read.value.user_id)
        return read if denied is None else Err(denied)

    async def order_history(
        self, user_id: UserId, size: int, cursor: str | None
    ) -> Result[Page[OrderSummary], InvalidCursor | NotAllowed | Unavailable]:
        """Return a page of a user's orders, newest first."""
        return await self._if(Action.LIST_ORDERS, user_id, lambda: self._reads.order_history(user_id, size, cursor))

    async def order_summary(self, user_id: UserId) -> Result[UserOrderSummary, NotAllowed | Unavailable]:
        """Return the totals of a user's orders."""
        return await self._if(Action.LIST_ORDERS, user_id, lambda: self._reads.order_summary(user_id))

    async def find_orders(
        self, wanted: OrderFilter, sort: OrderSort, size: int, cursor: str | None
    ) -> Result[Page[OrderSummary], InvalidCursor | NotAllowed | Unavailable]:
        """Return a page of the orders that a search finds."""
        return await self._if(Action.FIND_ORDERS, None, lambda: self._reads.find_orders(wanted, sort, size, cursor))

    async def audit_entries(
        self, subject: str | None, size: int, cursor: str | None
    ) -> Result[Page[AuditRecord], InvalidCursor | NotAllowed | Unavailable]:
        """Return a page of the audit log, newest first."""
        return await self._if(Action.READ_AUDIT_LOG, None, lambda: self._reads.audit_entries(subject, size, cursor))

    async def _if(self, action: Action, owner: UserId | None, question: Callable[[], Awaitable[Result[T, E]]]) -> Result[T, E | NotAllowed]:
        denied = refusal(self._actor, action, owner)
        return await question() if denied is None else Err(denied)
