"""Examples of a strategy that are the same in each run, for tests that need a list of them."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

T = TypeVar("T")


def examples_of(strategy: st.SearchStrategy[T], number: int) -> list[T]:
    """Return at most this many examples. Raises `Unsatisfiable` if there are none."""
    found = list[T]()

    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(example=strategy)
    def collect(example: T) -> None:
        found.append(example)

    collect()
    return found
