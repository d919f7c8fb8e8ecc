"""Expected outcomes as values: a call that may fail in a way its caller must handle returns a `Result`.

Exceptions are for what no caller handles: a lost connection, a programming error. Match a result with `case Ok(value)` and
`case Err(error)`; to handle each error separately, end the match over `error` with `assert_never`, and the type checker reports a missing
case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Ok(Generic[T_co]):
    """Success, with its value."""

    value: T_co


@dataclass(frozen=True, slots=True)
class Err(Generic[E_co]):
    """Failure, with its expected error."""

    error: E_co


Result: TypeAlias = Ok[T_co] | Err[E_co]
