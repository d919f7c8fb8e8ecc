"""Has the cache forget what events have made wrong: at once after a commit, and again by the consumer `cache`, which makes sure of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from shop.application.cache import CacheUnavailable, ReadCache, stale_keys
from shop.application.consumer import Verdict
from shop.application.messages import Message, UnreadableMessage, decode
from shop.domain.events import Event


class CacheInvalidation:
    """Invalidates by events. Doing it twice does no harm, so its consumer needs no inbox."""

    def __init__(self, cache: ReadCache) -> None:
        self._cache = cache

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Invalidate what was just committed, so that whoever wrote it reads it."""
        # The breaker has logged it, and makes up for it; and so does the consumer.
        with suppress(CacheUnavailable):
            await self._cache.invalidate([key for event in events for key in stale_keys(event)])

    async def process(self, message: Message) -> Verdict:
        """Invalidate by a message; it comes again until the cache has answered."""
        try:
            await self._cache.invalidate(stale_keys(decode(message)))
        except CacheUnavailable:
            return Verdict.NOT_NOW
        except UnreadableMessage:
            # What nobody can read made nothing wrong that we keep; the consumer `sales` puts it with the dead letters.
            return Verdict.DEAD
        return Verdict.HANDLED
