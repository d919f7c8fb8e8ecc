"""What a subscription receives: some types of events, of the aggregates in one partition."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from shop.domain.events import KINDS

PARTITIONS: Final = 16
"""The number of partitions, which also limits how many messages of a consumer are handled at the same time.

Fixed for the life of a stream: with another number, later events of an aggregate might overtake earlier ones in another partition.
"""


@dataclass(frozen=True, slots=True)
class Interest:
    """Types of events and a partition; by default all."""

    types: frozenset[str] | None = None
    partition: int | None = None


ALL: Final = Interest()

_KINDS: Final = {event.__name__: kind for event, kind in KINDS.items()}


def kind_of(event_type: str) -> str | None:
    """Return the kind of the aggregates whose events have this type, None for an unknown type."""
    return _KINDS.get(event_type)


def partition_of(aggregate: str) -> int:
    """Return the partition of an aggregate: always the same one, in every process."""
    return zlib.crc32(aggregate.encode()) % PARTITIONS
