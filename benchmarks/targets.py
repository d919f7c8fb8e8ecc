"""The targets: ratios of one run, each with the limit that was set for it before anything was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from benchmarks.results import Group, Ratio, Results, compare

Ratios = Callable[[Results], Iterator[tuple[str, Ratio]]]


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for one or more ratios, all of which must keep it; a ratio comes with the name of what it is about."""

    group: Group
    what: str
    bound: Literal["at most", "at least"]
    limit: float
    ratios: Ratios

    def is_met(self, ratio: Ratio) -> bool:
        """Tell whether the median keeps the limit."""
        return ratio.median <= self.limit if self.bound == "at most" else ratio.median >= self.limit

    def worst_first(self, results: Results) -> list[tuple[str, Ratio]]:
        """The ratios of the run, the one that is hardest on the target first; empty where the run left all of them out."""
        return sorted(self.ratios(results), key=lambda found: found[1].median, reverse=self.bound == "at most")


def times(label: str, numerator: tuple[str, str], denominator: tuple[str, str]) -> Ratios:
    """The ratio of two times, each named by case and contender; nothing where the run lacks one."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        above, below = results.get(*numerator), results.get(*denominator)
        if above and below:
            yield label, compare(above, below)

    return found


def memory(label: str, numerator: tuple[str, str], denominator: tuple[str, str]) -> Ratios:
    """The ratio of two peaks of memory."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        above, below = results.get(*numerator), results.get(*denominator)
        if above and below and above.peak_memory and below.peak_memory:
            ratio = above.peak_memory / below.peak_memory
            yield label, Ratio(ratio, ratio, ratio)

    return found


TARGETS: tuple[Target, ...] = ()
