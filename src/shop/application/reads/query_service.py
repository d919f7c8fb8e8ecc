"""The query service: answers questions with read models, and writes nothing."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TypeAlias, TypeVar

from pydantic import BaseModel

from shop.application.outages import SETTLED, Outage
from shop.application.reads.cache import ReadCache, order_summary_key, profile_key
from shop.application.reads.cursors import Cursors, InvalidCursor
from shop.application.reads.dead_letters import DeadLetterKey, DeadLetterNotFound
from shop.application.reads.models import (
    AuditRecord,
    DailySales,
    DeadLetter,
    DeadMessage,
    OrderDetails,
    OrderSummary,
    Page,
    PublicProfile,
    UserOrderSummary,
    UserSummary,
)
from shop.application.reads.orders import OrderPageKey
from shop.application.reads.replica import Replica
from shop.application.reads.repositories import OpenReadRepositories, ReadRepositories
from shop.application.reads.searches import OrderFilter, OrderSort, UserFilter, UserSort
from shop.application.reads.users import Standing, UserPageKey
from shop.application.transactions.failures import StoreLost, TransactionConflict, Unavailable
from shop.application.transactions.observing import Observer, unobserved
from shop.domain.orders import OrderNotFound
from shop.domain.result import Err, Ok, Result
from shop.domain.users import UserNotFound
from shop.domain.values import OrderId, UserId

_log = logging.getLogger("shop.reads")

T = TypeVar("T")
E = TypeVar("E")
K = TypeVar("K")
Model = TypeVar("Model", bound=BaseModel)

_Ask: TypeAlias = Callable[[Callable[[ReadRepositories], Awaitable[T]]], Awaitable[Result[T, Unavailable]]]


class QueryService:
    """All queries. Listings come in pages of at least one item, each with the cursor of the next.

    A replica is asked first, if there is one, and the primary answers where it does not. The most frequent queries, public profiles and
    order summaries, are cached, if there is a cache, as the primary answers them.

    `observe` records what callers read, which is more than a query where it is guarded. The standing of a user is a part of every request.
    """

    def __init__(
        self,
        open_repositories: OpenReadRepositories,
        cache: ReadCache | None = None,
        replica: Replica | None = None,
        cursors: Cursors | None = None,
        *,
        observe: Observer = unobserved,
    ) -> None:
        self._open = open_repositories
        self._cache = cache
        self._replica = replica
        self._outage = Outage(_log, "the database cannot be read", "the database can be read again", settled=SETTLED)
        self._cursors = cursors or Cursors()
        self.observe = observe

    async def public_profile(self, user_id: UserId) -> Result[PublicProfile, UserNotFound | Unavailable]:
        """Return the public profile of a user."""
        return await self.observe("user.show_profile", lambda: self._public_profile(user_id))

    async def _public_profile(self, user_id: UserId) -> Result[PublicProfile, UserNotFound | Unavailable]:
        async def load(ask: _Ask[Mapping[UserId, PublicProfile]]) -> Result[PublicProfile, UserNotFound | Unavailable]:
            match await ask(lambda repositories: repositories.users.public_profiles([user_id])):
                case Ok(profiles):
                    profile = profiles.get(user_id)
                    return Err(UserNotFound(user_id)) if profile is None else Ok(profile)
                case Err() as unavailable:
                    return unavailable

        return await self._cached(profile_key(user_id), PublicProfile, load)

    async def public_profiles(self, user_ids: Iterable[UserId]) -> Result[Mapping[UserId, PublicProfile], Unavailable]:
        """Return the public profiles of these users, without the unknown ids."""
        return await self._ask(lambda repositories: repositories.users.public_profiles(user_ids))

    async def user(self, user_id: UserId) -> Result[UserSummary, UserNotFound | Unavailable]:
        """Return the data of a user."""
        match await self._ask(lambda repositories: repositories.users.get(user_id)):
            case Ok(user):
                return Err(UserNotFound(user_id)) if user is None else Ok(user)
            case Err() as unavailable:
                return unavailable

    async def standing(self, user_id: UserId) -> Result[Standing | None, Unavailable]:
        """Return the standing of a user, None for an unknown id. The primary answers: a revoked role is revoked at once."""
        return await self._ask_primary(lambda repositories: repositories.users.standing(user_id))

    async def users(self, size: int, cursor: str | None = None) -> Result[Page[UserSummary], InvalidCursor | Unavailable]:
        """Return a page of users by registration, oldest first."""
        listing = "users"
        after = self._key(listing, cursor, lambda moment, user_id: UserPageKey(datetime.fromisoformat(moment), UserId(uuid.UUID(user_id))))
        if isinstance(after, Err):
            return after
        match await self._ask(lambda repositories: repositories.users.page(size, after.value)):
            case Ok(page):
                following = page.following
                token = None if following is None else self._cursors.encode(listing, following.created_at.isoformat(), str(following.id))
                return Ok(Page(items=page.users, next_cursor=token))
            case Err() as unavailable:
                return unavailable

    async def find_users(
        self, wanted: UserFilter, sort: UserSort, size: int, cursor: str | None = None
    ) -> Result[Page[UserSummary], InvalidCursor | Unavailable]:
        """Return a page of the users that a search finds."""
        found = await self._ask(lambda repositories: repositories.users.find(wanted, sort, size, cursor))
        if isinstance(found, Err):
            return found
        match found.value:
            case Ok(page):
                return Ok(Page(items=page.users, next_cursor=page.following, previous_cursor=page.preceding))
            case Err() as invalid:
                return invalid

    async def count_users(self) -> Result[int, Unavailable]:
        """Return the number of users."""
        return await self._ask(lambda repositories: repositories.users.count())

    async def order_history(
        self, user_id: UserId, size: int, cursor: str | None = None
    ) -> Result[Page[OrderSummary], InvalidCursor | Unavailable]:
        """Return a page of a user's orders, newest first."""
        listing = f"orders of {user_id}"
        after = self._key(
            listing, cursor, lambda moment, order_id: OrderPageKey(datetime.fromisoformat(moment), OrderId(uuid.UUID(order_id)))
        )
        if isinstance(after, Err):
            return after
        match await self._ask(lambda repositories: repositories.orders.history(user_id, size, after.value)):
            case Ok(page):
                following = page.following
                token = None if following is None else self._cursors.encode(listing, following.placed_at.isoformat(), str(following.id))
                return Ok(Page(items=page.orders, next_cursor=token))
            case Err() as unavailable:
                return unavailable

    async def find_orders(
        self, wanted: OrderFilter, sort: OrderSort, size: int, cursor: str | None = None
    ) -> Result[Page[OrderSummary], InvalidCursor | Unavailable]:
        """Return a page of the orders that a search finds."""
        found = await self._ask(lambda repositories: repositories.orders.find(wanted, sort, size, cursor))
        if isinstance(found, Err):
            return found
        match found.value:
            case Ok(page):
                return Ok(Page(items=page.orders, next_cursor=page.following, previous_cursor=page.preceding))
            case Err() as invalid:
                return invalid

    async def order(self, order_id: OrderId) -> Result[OrderDetails, OrderNotFound | Unavailable]:
        """Return an order with its lines."""
        match await self._ask(lambda repositories: repositories.orders.get(order_id)):
            case Ok(order):
                return Err(OrderNotFound(order_id)) if order is None else Ok(order)
            case Err() as unavailable:
                return unavailable

    async def order_summary(self, user_id: UserId) -> Result[UserOrderSummary, Unavailable]:
        """Return the totals of a user's orders."""

        async def load(ask: _Ask[UserOrderSummary]) -> Result[UserOrderSummary, Unavailable]:
            return await ask(lambda repositories: repositories.orders.summary(user_id))

        return await self._cached(order_summary_key(user_id), UserOrderSummary, load)

    async def daily_sales(self, since: date) -> Result[Sequence[DailySales], Unavailable]:
        """Return the sales since a day, newest first, as far as the consumer `sales` has handled events."""
        return await self._ask(lambda repositories: repositories.orders.daily_sales(since))

    async def audit_entries(
        self, subject: str | None, size: int, cursor: str | None = None
    ) -> Result[Page[AuditRecord], InvalidCursor | Unavailable]:
        """Return a page of the audit log, newest first: entries of one subject, as in `order:<id>`, or all."""
        listing = f"audit of {subject or 'all'}"
        after = self._key(listing, cursor, lambda entry_id, _: int(entry_id))
        if isinstance(after, Err):
            return after
        match await self._ask(lambda repositories: repositories.audit.page(subject, size, after.value)):
            case Ok(page):
                token = None if page.following is None else self._cursors.encode(listing, str(page.following), "")
                return Ok(Page(items=page.entries, next_cursor=token))
            case Err() as unavailable:
                return unavailable

    async def dead_letters(self, size: int, cursor: str | None = None) -> Result[Page[DeadLetter], InvalidCursor | Unavailable]:
        """Return a page of the dead letters, newest first."""
        listing = "dead letters"
        after = self._key(listing, cursor, _dead_letter_key)
        if isinstance(after, Err):
            return after
        match await self._ask(lambda repositories: repositories.dead_letters.page(size, after.value)):
            case Ok(page):
                last = page.following
                token = (
                    None if last is None else self._cursors.encode(listing, last.dead_at.isoformat(), f"{last.message_id} {last.consumer}")
                )
                return Ok(Page(items=page.letters, next_cursor=token))
            case Err() as unavailable:
                return unavailable

    async def dead_letter(self, consumer: str, message_id: uuid.UUID) -> Result[DeadMessage, DeadLetterNotFound | Unavailable]:
        """Return a dead letter with its message."""
        match await self._ask_primary(lambda repositories: repositories.dead_letters.get(consumer, message_id)):
            case Ok(letter):
                return Err(DeadLetterNotFound(consumer, message_id)) if letter is None else Ok(letter)
            case Err() as unavailable:
                return unavailable

    async def _cached(self, key: str, model: type[Model], load: Callable[[_Ask[T]], Awaitable[Result[Model, E]]]) -> Result[Model, E]:
        """Return a value from the cache, or load it. The primary loads it: what a replica has not replayed yet would stay outdated."""
        if self._cache is None:
            return await load(self._ask)
        found = await self._cache.get(key, model, lambda: load(self._ask_primary))
        # A replica may still answer, and that is not cached.
        is_lost = isinstance(found, Err) and isinstance(found.error, Unavailable)
        return await load(self._ask) if is_lost and self._replica is not None else found

    async def _ask(self, question: Callable[[ReadRepositories], Awaitable[T]]) -> Result[T, Unavailable]:
        if self._replica is not None and (answer := await self._replica.ask(question)) is not None:
            return answer
        return await self._ask_primary(question)

    async def _ask_primary(self, question: Callable[[ReadRepositories], Awaitable[T]]) -> Result[T, Unavailable]:
        try:
            async with self._open() as repositories:
                answer = Ok(await question(repositories))
        except (StoreLost, TransactionConflict) as lost:
            self._outage.begin(lost)
            return Err(Unavailable(str(lost)))
        self._outage.end()
        return answer

    def _key(self, listing: str, cursor: str | None, make: Callable[[str, str], K]) -> Result[K | None, InvalidCursor]:
        if cursor is None:
            return Ok(None)
        decoded = self._cursors.decode(listing, cursor, 2)
        if isinstance(decoded, Err):
            return decoded
        try:
            return Ok(make(*decoded.value))
        except ValueError:
            return Err(InvalidCursor(listing))


def _dead_letter_key(dead_at: str, letter: str) -> DeadLetterKey:
    message_id, _, consumer = letter.partition(" ")
    return DeadLetterKey(datetime.fromisoformat(dead_at), consumer, uuid.UUID(message_id))
