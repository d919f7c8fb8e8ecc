"""The read repositories in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date

from shop.application.reads.audit import AuditPage
from shop.application.reads.cursors import Cursors, InvalidCursor
from shop.application.reads.models import (
    AuditRecord,
    DailySales,
    OrderDetails,
    OrderSummary,
    OrderTotals,
    PublicProfile,
    UserOrderSummary,
    UserSummary,
)
from shop.application.reads.orders import FoundOrders, OrderPage, OrderPageKey
from shop.application.reads.repositories import OpenReadRepositories, ReadRepositories
from shop.application.reads.searches import OrderFilter, OrderSort, UserFilter, UserSort
from shop.application.reads.users import FoundUsers, Standing, UserPage, UserPageKey
from shop.domain.money import Currency, Money
from shop.domain.orders import Order, OrderStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.users import User
from shop.domain.values import OrderId, UserId

from .outbox import MemoryDeadLetterReadRepository
from .state import MemoryTransaction
from .store import MemoryStore

_CURSORS = Cursors()
_SPENT = frozenset({OrderStatus.PAID, OrderStatus.SHIPPED})


class MemoryUserReadRepository:
    """`UserReadRepository` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def public_profiles(self, user_ids: Iterable[UserId]) -> Mapping[UserId, PublicProfile]:
        """Return the public profiles of these users, without the unknown ids."""
        users = self._transaction.state.users
        return {user_id: _public_profile(users[user_id]) for user_id in user_ids if user_id in users}

    async def get(self, user_id: UserId) -> UserSummary | None:
        """Return the data of a user, None for an unknown id."""
        user = self._transaction.state.users.get(user_id)
        return None if user is None else UserSummary.of(user)

    async def standing(self, user_id: UserId) -> Standing | None:
        """Return the standing of a user, None for an unknown id."""
        user = self._transaction.state.users.get(user_id)
        return None if user is None else Standing(user.role, user.session_generation)

    async def page(self, size: int, after: UserPageKey | None = None) -> UserPage:
        """Return the first page, or the one after a key. Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"a page has at least one user, not {size}")
        users = sorted(self._transaction.state.users.values(), key=lambda user: (user.created_at, user.id))
        behind = [user for user in users if after is None or (user.created_at, user.id) > (after.created_at, after.id)]
        shown = behind[:size]
        following = UserPageKey(shown[-1].created_at, shown[-1].id) if len(behind) > size else None
        return UserPage(tuple(UserSummary.of(user) for user in shown), following)

    async def find(self, wanted: UserFilter, sort: UserSort, size: int, cursor: str | None = None) -> Result[FoundUsers, InvalidCursor]:
        """Return the first page of what a search finds, or that of a cursor in the same order. Raises ValueError for a size below 1."""
        users = sorted(self._transaction.state.users.values(), key=lambda user: (user.created_at, user.id), reverse=sort == "newest")
        found = [user for user in users if _is_wanted(user, wanted)]
        page = _page([str(user.id) for user in found], f"found users, {sort} first", size, cursor)
        if isinstance(page, Err):
            return page
        start, end, following, preceding = page.value
        return Ok(FoundUsers(tuple(UserSummary.of(user) for user in found[start:end]), following, preceding))

    async def count(self) -> int:
        """Return the number of users."""
        return len(self._transaction.state.users)


class MemoryOrderReadRepository:
    """`OrderReadRepository` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def history(self, user_id: UserId, size: int, after: OrderPageKey | None = None) -> OrderPage:
        """Return the first page of a user's orders, or the one after a key. Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"a page has at least one order, not {size}")
        orders = sorted(self._of(user_id), key=lambda order: (order.placed_at, order.id), reverse=True)
        behind = [order for order in orders if after is None or (order.placed_at, order.id) < (after.placed_at, after.id)]
        shown = behind[:size]
        following = OrderPageKey(shown[-1].placed_at, shown[-1].id) if len(behind) > size else None
        return OrderPage(tuple(_order_summary(order) for order in shown), following)

    async def find(self, wanted: OrderFilter, sort: OrderSort, size: int, cursor: str | None = None) -> Result[FoundOrders, InvalidCursor]:
        """Return the first page of what a search finds, or that of a cursor in the same order. Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"a page has at least one order, not {size}")
        found = [order for order in self._transaction.state.orders.values() if self._is_wanted(order, wanted)]
        match sort:
            case "oldest":
                found.sort(key=lambda order: (order.placed_at, order.id))
            case "newest":
                found.sort(key=lambda order: (order.placed_at, order.id), reverse=True)
            case "largest":
                found.sort(key=lambda order: (-order.total.minor, order.id))
        page = _page([str(order.id) for order in found], f"found orders, {sort} first", size, cursor)
        if isinstance(page, Err):
            return page
        start, end, following, preceding = page.value
        return Ok(FoundOrders(tuple(_order_summary(order) for order in found[start:end]), following, preceding))

    def _is_wanted(self, order: Order, wanted: OrderFilter) -> bool:
        last_name = self._transaction.state.users[order.user_id].profile.name.last
        return (
            (not wanted.statuses or order.status in wanted.statuses)
            and wanted.currency in {None, order.total.currency}
            and (wanted.placed_since is None or order.placed_at >= wanted.placed_since)
            and (wanted.placed_before is None or order.placed_at < wanted.placed_before)
            and (wanted.last_name is None or last_name.lower().startswith(wanted.last_name.lower()))
        )

    async def get(self, order_id: OrderId) -> OrderDetails | None:
        """Return an order with its lines, None for an unknown id."""
        order = self._transaction.state.orders.get(order_id)
        return None if order is None else OrderDetails.of(order)

    async def summary(self, user_id: UserId) -> UserOrderSummary:
        """Return the totals of a user's orders: none for a user without orders and for an unknown user."""
        currencies = sorted({order.total.currency for order in self._of(user_id)})
        return UserOrderSummary(user_id=user_id, totals=tuple(self._totals(user_id, currency) for currency in currencies))

    async def daily_sales(self, since: date) -> Sequence[DailySales]:
        """Return the sales since a day, newest first, as far as the consumer `sales` has handled events."""
        sales = [each for each in self._transaction.state.sales.values() if each.day >= since]
        return sorted(sorted(sales, key=lambda each: each.currency), key=lambda each: each.day, reverse=True)

    def _of(self, user_id: UserId) -> list[Order]:
        return [order for order in self._transaction.state.orders.values() if order.user_id == user_id]

    def _totals(self, user_id: UserId, currency: Currency) -> OrderTotals:
        orders = [order for order in self._of(user_id) if order.total.currency is currency]
        counted = Counter(order.status for order in orders)
        return OrderTotals(
            orders=len(orders),
            placed=counted[OrderStatus.PLACED],
            paid=counted[OrderStatus.PAID],
            shipped=counted[OrderStatus.SHIPPED],
            cancelled=counted[OrderStatus.CANCELLED],
            spent=Money(sum(order.total.minor for order in orders if order.status in _SPENT), currency),
            last_placed_at=max(order.placed_at for order in orders),
        )


class MemoryAuditReadRepository:
    """`AuditReadRepository` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def page(self, subject: str | None, size: int, after: int | None = None) -> AuditPage:
        """Return the first page of the entries of a subject, or of all, or the page after an id. Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"a page has at least one entry, not {size}")
        numbered = list(enumerate(self._transaction.state.audit, start=1))[::-1]
        behind = [
            AuditRecord(
                id=number,
                at=at,
                actor=entry.context.actor.text,
                action=entry.action,
                subject=entry.subject,
                origin=entry.context.origin,
                outcome=entry.outcome,
                metadata=dict(entry.metadata),
                trace_id=entry.context.trace_id,
            )
            for number, (at, entry) in numbered
            if subject in {None, entry.subject} and (after is None or number < after)
        ]
        return AuditPage(tuple(behind[:size]), following=behind[size - 1].id if len(behind) > size else None)


def _page(ids: list[str], listing: str, size: int, cursor: str | None) -> Result[tuple[int, int, str | None, str | None], InvalidCursor]:
    """Return where a page starts and ends, and the cursors of the pages around it."""
    start, end = 0, size
    if cursor is not None:
        decoded = _CURSORS.decode(listing, cursor, 2)
        if isinstance(decoded, Err):
            return decoded
        side, beside = decoded.value
        place = ids.index(beside)
        start, end = (place + 1, place + 1 + size) if side == "after" else (max(place - size, 0), place)
    following = _CURSORS.encode(listing, "after", ids[end - 1]) if end < len(ids) else None
    preceding = _CURSORS.encode(listing, "before", ids[start]) if start > 0 else None
    return Ok((start, end, following, preceding))


def _is_wanted(user: User, wanted: UserFilter) -> bool:
    return (
        (wanted.part is None or wanted.part.lower() in f"{user.profile.name.first} {user.profile.name.last} {user.profile.email}".lower())
        and (wanted.last_name is None or user.profile.name.last.lower().startswith(wanted.last_name.lower()))
        and (wanted.email is None or user.profile.email.text.lower().startswith(wanted.email.lower()))
        and (not wanted.roles or user.role in wanted.roles)
        and (wanted.registered_since is None or user.created_at >= wanted.registered_since)
        and (wanted.registered_before is None or user.created_at < wanted.registered_before)
    )


def _public_profile(user: User) -> PublicProfile:
    return PublicProfile(id=user.id, first_name=user.profile.name.first, last_name=user.profile.name.last)


def _order_summary(order: Order) -> OrderSummary:
    return OrderSummary(
        id=order.id,
        status=order.status,
        total=order.total,
        line_count=len(order.lines),
        placed_at=order.placed_at,
        updated_at=order.updated_at,
    )


def read_repositories_in(transaction: MemoryTransaction) -> ReadRepositories:
    """Return the read repositories in the state of a transaction."""
    return ReadRepositories(
        MemoryUserReadRepository(transaction),
        MemoryOrderReadRepository(transaction),
        MemoryAuditReadRepository(transaction),
        MemoryDeadLetterReadRepository(transaction),
    )


def memory_reads(store: MemoryStore) -> OpenReadRepositories:
    """Return the function that opens the read repositories on the committed state."""

    @asynccontextmanager
    async def open_reads() -> AsyncGenerator[ReadRepositories]:
        yield read_repositories_in(MemoryTransaction(store.state.copy()))

    return open_reads
