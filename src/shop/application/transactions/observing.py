"""Observation of use cases: each with its name and its outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from shop.application.transactions.answers import AlreadyAnswered, KeyInUse
from shop.application.transactions.failures import OutcomeUnknown, TooMuchContention, Unavailable
from shop.domain.result import Err, Ok, Result

T = TypeVar("T")
E = TypeVar("E")

OUTCOMES = ("done", "repeated", "refused", "unavailable", "contention", "unknown", "cancelled", "defect")
"""The outcomes of use cases; `cancelled` and `defect` are those that end by an exception."""


class Observer(Protocol):
    """Runs use cases, and records each."""

    async def __call__(self, action: str, use_case: Callable[[], Awaitable[Result[T, E]]]) -> Result[T, E]:
        """Run a use case with all of its attempts, and return its result."""
        ...


async def unobserved(action: str, use_case: Callable[[], Awaitable[Result[T, E]]]) -> Result[T, E]:  # noqa: ARG001 it is an `Observer`
    """Run a use case, and record nothing."""
    return await use_case()


def outcome_of(result: Result[object, object]) -> str:
    """Return the outcome of a use case that ended without an exception."""
    match result:
        case Ok():
            return "done"
        case Err(AlreadyAnswered()):
            return "repeated"
        case Err(Unavailable()):
            return "unavailable"
        case Err(TooMuchContention() | KeyInUse()):
            return "contention"
        case Err(OutcomeUnknown()):
            return "unknown"
        case Err():
            return "refused"
