"""What is waiting: for the relay, for the consumers, and for people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from shop.application.messaging.broker import BrokerUnavailable
from shop.application.transactions.failures import StoreLost, TransactionConflict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OutboxBacklog:
    """The pending events, the age of the oldest one in seconds, and the dead letters of each consumer and of the relay."""

    pending: int
    lag_seconds: float
    dead: Mapping[str, int]


class MeasurableStore(Protocol):
    """Measures the outbox, the inboxes and the erasures."""

    async def measure(self) -> StoreBacklog:
        """Return what is waiting. Raises `StoreLost` or `TransactionConflict`."""
        ...


class MeasurableStream(Protocol):
    """Measures the positions of the consumers."""

    async def waiting(self) -> Mapping[str, int]:
        """Return the number of messages that each consumer has not settled yet. Raises `BrokerUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class ErasureBacklog:
    """The erasures of users that `shop prune` is to go on with, and for how many seconds the first of them has been due."""

    due: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StoreBacklog:
    """What is waiting in the database."""

    outbox: OutboxBacklog
    erasures: ErasureBacklog


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is waiting; None where it is unknown, since a server does not answer."""

    store: StoreBacklog | None
    consumers: Mapping[str, int] | None


class BacklogMeter:
    """Measures everything that is waiting. Without a broker the consumers are unknown."""

    def __init__(self, store: MeasurableStore, stream: MeasurableStream | None, *, patience: float = 2.0) -> None:
        self._store = store
        self._stream = stream
        self._patience = patience

    async def measure(self) -> Backlog:
        """Return what is waiting, after `patience` seconds at most: other metrics must not wait for a server that is down."""
        return Backlog(*await asyncio.gather(self._known(self._store.measure), self._known(self._waiting)))

    async def _waiting(self) -> Mapping[str, int] | None:
        return None if self._stream is None else await self._stream.waiting()

    async def _known(self, measure: Callable[[], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(self._patience):
                return await measure()
        except (StoreLost, TransactionConflict, BrokerUnavailable, TimeoutError):
            return None
