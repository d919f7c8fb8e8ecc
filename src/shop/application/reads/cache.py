"""Cache-aside for frequently read models: a cache that is down makes answers slower, never wrong."""

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
    AuthenticationSucceeded,
    Event,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    UserDeleted,
    UserPasswordChanged,
    UserProfileUpdated,
    UserRegistered,
    UserRoleChanged,
)
from shop.domain.result import Ok, Result
from shop.domain.values import UserId

Model = TypeVar("Model", bound=BaseModel)
E = TypeVar("E")

_log = logging.getLogger("shop.cache")

# Part of every key: incremented when a cached read model changes its shape.
_GENERATION = "shop:1"


class CacheUnavailable(Exception):
    """The cache does not answer."""


@dataclass(frozen=True, slots=True)
class Hit:
    """The value is cached."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Lease:
    """The value is not cached; the holder of the lease may fill it in."""

    token: str


@dataclass(frozen=True, slots=True)
class Busy:
    """The value is not cached; the holder of a lease is loading it."""


Lookup: TypeAlias = Hit | Lease | Busy


class CacheStore(Protocol):
    """Stores values with an expiry. Every method raises `CacheUnavailable` if the store does not answer.

    Leases protect the database from a stampede and the cache from stale values: only the holder fills the value in, and an invalidation
    ends the lease, so a value loaded before an invalidation is not stored after it.
    """

    async def look_up(self, key: str, lease_seconds: float) -> Lookup:
        """Return the value, or a lease of at most `lease_seconds` to fill it in, or `Busy` if another caller holds the lease."""
        ...

    async def fill(self, key: str, lease: Lease, value: bytes, seconds: float) -> bool:
        """Store a value for `seconds` if the lease is still valid, and return whether it was. The lease ends."""
        ...

    async def release(self, key: str, lease: Lease) -> None:
        """End a lease without a value."""
        ...

    async def invalidate(self, keys: Sequence[str]) -> None:
        """Delete the values of these keys, and end their leases."""
        ...


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """Durations in seconds.

    Values expire after `ttl`, less a random tenth at most, so that values stored together do not expire together. A loader's lease ends
    after `lease`; others wait for its value up to `patience` and look every `interval`.
    """

    ttl: float = 300.0
    lease: float = 5.0
    patience: float = 1.0
    interval: float = 0.02


class ReadCache:
    """Read models in a store. If the store does not answer, they are loaded."""

    def __init__(self, store: CacheStore, options: CacheOptions = CacheOptions()) -> None:
        self._store = store
        self._options = options
        self.hits = 0
        self.misses = 0
        self.unavailable = 0

    async def get(self, key: str, model: type[Model], load: Callable[[], Awaitable[Result[Model, E]]]) -> Result[Model, E]:
        """Return the value from the store, or load and store it. An `Err` is not stored."""
        lookup = await self._look_up(key)
        if isinstance(lookup, Hit):
            try:
                value = model.model_validate_json(lookup.value)
            except ValidationError:
                # Deleted, or every lookup until its expiry would fail.
                _log.warning("the cached value of %s has another shape", key)
                with suppress(CacheUnavailable):
                    await self._store.invalidate([key])
                return await load()
            self.hits += 1
            return Ok(value)
        if lookup is None:
            self.unavailable += 1
            return await load()
        self.misses += 1
        if isinstance(lookup, Busy):
            return await load()
        return await self._load(key, lookup, load)

    async def invalidate(self, keys: Sequence[str]) -> None:
        """Delete these values. Raises `CacheUnavailable`."""
        if keys:
            await self._store.invalidate(keys)

    async def _look_up(self, key: str) -> Lookup | None:
        deadline = time.monotonic() + self._options.patience
        while True:
            try:
                lookup = await self._store.look_up(key, self._options.lease)
            except CacheUnavailable:
                return None
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
                    seconds = self._options.ttl * random.uniform(0.9, 1)  # noqa: S311 not a secret
                    await self._store.fill(key, lease, loaded.value.model_dump_json().encode(), seconds)
                else:
                    await self._store.release(key, lease)


# --- Keys and their invalidation -----------------------------------------------------------------------------------------


def profile_key(user_id: UserId) -> str:
    """Return the key of a user's public profile."""
    return f"{_GENERATION}:profile:{user_id}"


def order_summary_key(user_id: UserId) -> str:
    """Return the key of a user's order summary."""
    return f"{_GENERATION}:orders:{user_id}"


def stale_keys(event: Event) -> list[str]:
    """Return the keys of all values that an event makes stale."""
    match event:
        case UserProfileUpdated(user_id=user_id):
            return [profile_key(user_id)]
        case UserDeleted(user_id=user_id):
            return [profile_key(user_id), order_summary_key(user_id)]
        case OrderPlaced(user_id=user_id) | OrderPaid(user_id=user_id) | OrderShipped(user_id=user_id) | OrderCancelled(user_id=user_id):
            return [order_summary_key(user_id)]
        case UserRegistered() | UserPasswordChanged() | UserRoleChanged() | AuthenticationSucceeded() | AuthenticationFailed():
            return []
