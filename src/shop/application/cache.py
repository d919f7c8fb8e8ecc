"""Cache-aside for hot read models: a cache that is down makes answers slower, never wrong."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from shop.domain.events import (
    AuthenticationFailed,
    Event,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    UserDeleted,
    UserPasswordChanged,
    UserProfileUpdated,
    UserRegistered,
)
from shop.domain.result import Ok, Result
from shop.domain.values import UserId

Model = TypeVar("Model", bound=BaseModel)
E = TypeVar("E")

_log = logging.getLogger("shop.cache")

# Part of every key: raised when a cached read model changes its shape.
_GENERATION = "shop:1"


class CacheUnavailable(Exception):
    """The cache does not answer."""


@dataclass(frozen=True, slots=True)
class Hit:
    """The value is there."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Lease:
    """The value is not there, and whoever holds this may put it there."""

    token: str


@dataclass(frozen=True, slots=True)
class Busy:
    """The value is not there, and somebody else is loading it."""


Lookup: TypeAlias = Hit | Lease | Busy


class CacheStore(Protocol):
    """Keeps values for a while. Every method raises `CacheUnavailable` where the store does not answer.

    A lease is what protects the store behind the cache from a stampede, and the cache from a stale value: only its holder fills the
    value in, and an invalidation takes it away, so that what was loaded before is not kept after.
    """

    async def look_up(self, key: str, lease_seconds: float) -> Lookup:
        """Get the value, or the right to fill it in, unless somebody else has that: for so many seconds at most."""
        ...

    async def fill(self, key: str, lease: Lease, value: bytes, seconds: float) -> bool:
        """Keep a value for so many seconds, if the lease still holds; tell whether it did. The lease ends."""
        ...

    async def release(self, key: str, lease: Lease) -> None:
        """End a lease without a value."""
        ...

    async def invalidate(self, keys: Sequence[str]) -> None:
        """Forget the values of these keys, and end their leases."""
        ...


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """How long things last, in seconds.

    Values live `ttl`, less up to a tenth by chance, so that what was filled at once does not end at once. A loader's lease ends after
    `lease`; others wait for its value up to `patience`, looking every `interval`.
    """

    ttl: float = 300.0
    lease: float = 5.0
    patience: float = 1.0
    interval: float = 0.02


class ReadCache:
    """Read models in a store. Without an answer of the store they are loaded."""

    def __init__(self, store: CacheStore, options: CacheOptions = CacheOptions()) -> None:
        self._store = store
        self._options = options
        self.hits = 0
        self.misses = 0

    async def get(self, key: str, model: type[Model], load: Callable[[], Awaitable[Result[Model, E]]]) -> Result[Model, E]:
        """Get a value from the store, or load it and keep it there. What is not `Ok` is not kept."""
        lookup = await self._look_up(key)
        if isinstance(lookup, Hit):
            try:
                value = model.model_validate_json(lookup.value)
            except ValidationError:
                # Forgotten, or all who ask until it ends would come here.
                _log.warning("the cached value of %s is of another shape", key)
                with suppress(CacheUnavailable):
                    await self._store.invalidate([key])
                return await load()
            self.hits += 1
            return Ok(value)
        self.misses += 1
        if isinstance(lookup, Busy):
            return await load()
        return await self._load(key, lookup, load)

    async def invalidate(self, keys: Sequence[str]) -> None:
        """Forget these values. Raises `CacheUnavailable`."""
        if keys:
            await self._store.invalidate(keys)

    async def _look_up(self, key: str) -> Lookup:
        deadline = time.monotonic() + self._options.patience
        while True:
            try:
                lookup = await self._store.look_up(key, self._options.lease)
            except CacheUnavailable:
                return Busy()
            if not isinstance(lookup, Busy) or time.monotonic() >= deadline:
                return lookup
            await asyncio.sleep(self._options.interval)

    async def _load(self, key: str, lease: Lease, load: Callable[[], Awaitable[Result[Model, E]]]) -> Result[Model, E]:
        loaded: Result[Model, E] | None = None
        try:
            loaded = await load()
            return loaded
        finally:
            with suppress(CacheUnavailable):
                if isinstance(loaded, Ok):
                    seconds = self._options.ttl * random.uniform(0.9, 1)  # noqa: S311 no secret hangs on it
                    await self._store.fill(key, lease, loaded.value.model_dump_json().encode(), seconds)
                else:
                    await self._store.release(key, lease)


# --- What is kept, and until when ---------------------------------------------------------------------------------------


def profile_key(user_id: UserId) -> str:
    """Name the public profile of a user."""
    return f"{_GENERATION}:profile:{user_id}"


def order_summary_key(user_id: UserId) -> str:
    """Name the order summary of a user."""
    return f"{_GENERATION}:orders:{user_id}"


def stale_keys(event: Event) -> list[str]:
    """Name all values that an event makes wrong."""
    match event:
        case UserProfileUpdated(user_id=user_id):
            return [profile_key(user_id)]
        case UserDeleted(user_id=user_id):
            return [profile_key(user_id), order_summary_key(user_id)]
        case OrderPlaced(user_id=user_id) | OrderPaid(user_id=user_id) | OrderShipped(user_id=user_id) | OrderCancelled(user_id=user_id):
            return [order_summary_key(user_id)]
        case UserRegistered() | UserPasswordChanged() | AuthenticationFailed():
            return []
