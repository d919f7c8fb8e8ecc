"""The read side: answers questions with read models, and writes nothing."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias, TypeVar

from shop.application.audit import AuditTrail
from shop.application.cache import ReadCache, order_summary_key, profile_key
from shop.application.cursors import InvalidCursor, decode_cursor, encode_cursor
from shop.application.dead_letters import DeadLetters
from shop.application.order_directory import OrderDirectory, OrderPageKey
from shop.application.outages import Outage
from shop.application.read_models import (
    AuditRecord,
    DailySales,
    DeadMessage,
    OrderSummary,
    Page,
    PublicProfile,
    UserOrderSummary,
    UserSummary,
)
from shop.application.unit_of_work import StoreDefect, StoreLost, TransactionConflict, Unavailable
from shop.application.user_directory import UserDirectory, UserPageKey
from shop.domain.orders import OrderId
from shop.domain.result import Err, Ok, Result
from shop.domain.users import UserNotFound
from shop.domain.values import UserId

T = TypeVar("T")
K = TypeVar("K")

_log = logging.getLogger("shop.reads")


@dataclass(frozen=True, slots=True)
class Directories:
    """The ports of the read side, on one connection."""

    users: UserDirectory
    orders: OrderDirectory
    audit: AuditTrail
    dead_letters: DeadLetters


OpenDirectories: TypeAlias = Callable[[], AbstractAsyncContextManager[Directories]]
"""Opens the read side; its block may raise `StoreLost`."""


class Replica:
    """Another source of answers, which may be down, frozen, or behind in its migrations: then it is left alone for `pause` seconds."""

    def __init__(
        self,
        open_directories: OpenDirectories,
        *,
        patience: float = 5.0,
        pause: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open = open_directories
        self._patience = patience
        self._pause = pause
        self._clock = clock
        self._outage = Outage(_log, "the replica is left alone", "the replica answers again")
        self._paused_until = 0.0

    async def ask(self, question: Callable[[Directories], Awaitable[T]]) -> Ok[T] | None:
        """Ask it, or return None where it is to be asked elsewhere."""
        if self._outage.is_on:
            if self._clock() < self._paused_until:
                return None
            # One call looks whether it is back, and the others do not wait for that.
            self._paused_until = self._clock() + self._patience + self._pause
        try:
            async with asyncio.timeout(self._patience), self._open() as directories:
                answer = Ok(await question(directories))
        except TransactionConflict as conflict:
            # A standby cancels what stands in the way of its replay. It is well.
            _log.info("the replica did not answer: %s", conflict)
            return None
        except (StoreLost, StoreDefect, TimeoutError) as lost:
            self._outage.begin(str(lost) or f"no answer within {self._patience:g} s")
            self._paused_until = self._clock() + self._pause
            return None
        self._outage.end()
        return answer


class Reads:
    """Everything that can be asked. Listings come in pages of at least one item, each with the cursor of the next.

    A replica is asked first, where there is one, and the primary answers where it does not.

    What is asked most, a public profile and an order summary, is answered from the cache where there is one.
    """

    def __init__(self, open_directories: OpenDirectories, cache: ReadCache | None = None, replica: Replica | None = None) -> None:
        self._open = open_directories
        self._cache = cache
        self._replica = replica

    async def public_profile(self, user_id: UserId) -> Result[PublicProfile, UserNotFound | Unavailable]:
        """Get what anyone may know of a user."""

        async def load() -> Result[PublicProfile, UserNotFound | Unavailable]:
            match await self.public_profiles([user_id]):
                case Ok(profiles):
                    profile = profiles.get(user_id)
                    return Err(UserNotFound(user_id)) if profile is None else Ok(profile)
                case Err() as unavailable:
                    return unavailable

        return await load() if self._cache is None else await self._cache.get(profile_key(user_id), PublicProfile, load)

    async def public_profiles(self, user_ids: Iterable[UserId]) -> Result[Mapping[UserId, PublicProfile], Unavailable]:
        """Get what anyone may know of these users; an id that no user has is missing in the answer."""
        return await self._ask(lambda directories: directories.users.public_profiles(user_ids))

    async def users(self, size: int, cursor: str | None = None) -> Result[Page[UserSummary], InvalidCursor | Unavailable]:
        """List users by registration, oldest first."""
        listing = "users"
        after = _key(listing, cursor, lambda moment, user_id: UserPageKey(datetime.fromisoformat(moment), UserId(uuid.UUID(user_id))))
        if isinstance(after, Err):
            return after
        match await self._ask(lambda directories: directories.users.page(size, after.value)):
            case Ok(page):
                following = page.following
                token = None if following is None else encode_cursor(listing, following.created_at.isoformat(), str(following.id))
                return Ok(Page(items=page.users, next_cursor=token))
            case Err() as unavailable:
                return unavailable

    async def count_users(self) -> Result[int, Unavailable]:
        """Count all users."""
        return await self._ask(lambda directories: directories.users.count())

    async def order_history(
        self, user_id: UserId, size: int, cursor: str | None = None
    ) -> Result[Page[OrderSummary], InvalidCursor | Unavailable]:
        """List a user's orders, newest first."""
        listing = f"orders of {user_id}"
        after = _key(listing, cursor, lambda moment, order_id: OrderPageKey(datetime.fromisoformat(moment), OrderId(uuid.UUID(order_id))))
        if isinstance(after, Err):
            return after
        match await self._ask(lambda directories: directories.orders.history(user_id, size, after.value)):
            case Ok(page):
                following = page.following
                token = None if following is None else encode_cursor(listing, following.placed_at.isoformat(), str(following.id))
                return Ok(Page(items=page.orders, next_cursor=token))
            case Err() as unavailable:
                return unavailable

    async def order_summary(self, user_id: UserId) -> Result[UserOrderSummary, Unavailable]:
        """Sum up a user's orders."""

        async def load() -> Result[UserOrderSummary, Unavailable]:
            return await self._ask(lambda directories: directories.orders.summary(user_id))

        return await load() if self._cache is None else await self._cache.get(order_summary_key(user_id), UserOrderSummary, load)

    async def daily_sales(self, since: date) -> Result[Sequence[DailySales], Unavailable]:
        """List the sales from a day on, newest first: as far as the consumer of events has come."""
        return await self._ask(lambda directories: directories.orders.daily_sales(since))

    async def audit_entries(
        self, subject: str | None, size: int, cursor: str | None = None
    ) -> Result[Page[AuditRecord], InvalidCursor | Unavailable]:
        """List what happened to a subject, as in `order:<id>`, or to all, newest first."""
        listing = f"audit of {subject or 'all'}"
        after = _key(listing, cursor, lambda entry_id, _: int(entry_id))
        if isinstance(after, Err):
            return after
        match await self._ask(lambda directories: directories.audit.page(subject, size, after.value)):
            case Ok(page):
                token = None if page.following is None else encode_cursor(listing, str(page.following), "")
                return Ok(Page(items=page.entries, next_cursor=token))
            case Err() as unavailable:
                return unavailable

    async def dead_messages(self, at_most: int) -> Result[Sequence[DeadMessage], Unavailable]:
        """List the messages that were given up, newest first."""
        return await self._ask(lambda directories: directories.dead_letters.newest(at_most))

    async def _ask(self, question: Callable[[Directories], Awaitable[T]]) -> Result[T, Unavailable]:
        if self._replica is not None and (answer := await self._replica.ask(question)) is not None:
            return answer
        try:
            async with self._open() as directories:
                return Ok(await question(directories))
        except (StoreLost, TransactionConflict) as lost:
            return Err(Unavailable(str(lost)))


def _key(listing: str, cursor: str | None, make: Callable[[str, str], K]) -> Result[K | None, InvalidCursor]:
    if cursor is None:
        return Ok(None)
    decoded = decode_cursor(listing, cursor, 2)
    if isinstance(decoded, Err):
        return decoded
    try:
        return Ok(make(*decoded.value))
    except ValueError:
        return Err(InvalidCursor(listing))
