"""The base of the aggregates: an entity that raises events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from shop.domain.events import Event


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An entity that is saved as a whole. `events` are those it has raised since it was read; the unit of work collects them on saving."""

    events: tuple[Event, ...] = field(default=(), kw_only=True, compare=False, repr=False)

    def without_events(self) -> Self:
        """Return the aggregate as it is once its events are collected."""
        return replace(self, events=())
