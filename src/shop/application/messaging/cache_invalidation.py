"""Cache invalidation by events: right after a commit, and reliably by the consumer `cache`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from shop.application.messaging.consumer import Verdict
from shop.application.messaging.messages import Message
from shop.application.reads.cache import CacheUnavailable, ReadCache, stale_keys
from shop.domain.events import Event, OrderCancelled, OrderPaid, OrderPlaced, OrderShipped, UserDeleted, UserProfileUpdated

EVENTS: Final = (UserProfileUpdated, UserDeleted, OrderPlaced, OrderPaid, OrderShipped, OrderCancelled)
"""The events that make a cached value stale."""


class CacheInvalidation:
    """Invalidates cached values. It is naturally idempotent, so its consumer needs no inbox."""

    def __init__(self, cache: ReadCache) -> None:
        self._cache = cache

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Invalidate what the events make stale, so that the writer reads its own writes."""
        # The breaker logs it and replays it, and the consumer invalidates again.
        with suppress(CacheUnavailable):
            await self._cache.invalidate([key for event in events for key in stale_keys(event)])

    async def process(self, event: Event, _: Message) -> Verdict:
        """Invalidate what an event makes stale; its message is redelivered until the cache answers."""
        try:
            await self._cache.invalidate(stale_keys(event))
        except CacheUnavailable:
            return Verdict.NOT_NOW
        return Verdict.HANDLED
