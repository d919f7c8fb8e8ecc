"""The targets: ratios of one run, each with the limit that was set for it before anything was measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from benchmarks.names import (
    ANEW,
    ASYNC,
    ASYNCPG,
    BARE,
    BEYOND,
    BY_HAND,
    CHANGED,
    CHECK,
    CHECK_UNCHANGED,
    GENERATED,
    IMPORT,
    INSERT,
    MANY_INSERTS,
    MANY_LOOKUPS,
    MANY_ROWS,
    ONE_ROW,
    ORM,
    RIVAL_FORM,
    SIZES,
    SQLC_DATACLASS,
    STREAMS,
    UNCHANGED,
    UPDATE,
    size,
    stream,
)
from benchmarks.results import Group, Ratio, Results, compare

Standing = Literal["met", "undecided", "missed"]
Ratios = Callable[[Results], Iterator[tuple[str, Ratio]]]


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for one or more ratios, all of which must keep it; a ratio comes with the name of what it is about."""

    group: Group
    what: str
    bound: Literal["at most", "at least"]
    limit: float
    ratios: Ratios

    def standing(self, ratio: Ratio) -> Standing:
        """Tell whether the median keeps the limit; undecided if it does not, while part of the middle half does."""
        if self._keeps(ratio.median):
            return "met"
        return "undecided" if self._keeps(ratio.low) or self._keeps(ratio.high) else "missed"

    def _keeps(self, ratio: float) -> bool:
        return ratio <= self.limit if self.bound == "at most" else ratio >= self.limit

    def worst_first(self, results: Results) -> list[tuple[str, Ratio]]:
        """The ratios of the run, the one that is hardest on the target first; empty where the run left all of them out."""
        return sorted(self.ratios(results), key=lambda found: found[1].median, reverse=self.bound == "at most")


def faster(contender: str, *cases: str, ours: str = GENERATED) -> Ratios:
    """How many times as long as ours a contender takes in each of the cases; nothing where the run lacks one of the two."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        for case in cases:
            theirs, mine = results.get(case, contender), results.get(case, ours)
            if theirs and mine:
                yield case, compare(theirs, mine)

    return found


def memory(contender: str, case: str, beside: str) -> Ratios:
    """How many times the peak of memory of another case a contender has in a case."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        more, less = results.get(case, contender), results.get(beside, contender)
        if more and less and more.peak_memory and less.peak_memory:
            ratio = more.peak_memory / less.peak_memory
            yield contender, Ratio(ratio, ratio, ratio)

    return found


def together(*ratios: Ratios) -> Ratios:
    """All of them."""
    return lambda results: (found for each in ratios for found in each(results))


def slower(case: str, contender: str, beside: str) -> Ratios:
    """How many times the time of another contender one takes in a case."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        more, less = results.get(case, contender), results.get(case, beside)
        if more and less:
            yield case, compare(more, less)

    return found


def grown(contender: str, case: str, beside: str) -> Ratios:
    """How many times the time of another case a contender takes in a case; the rounds of two cases are no pairs."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        more, less = results.get(case, contender), results.get(beside, contender)
        if more and less:
            yield contender, Ratio(more.median / less.median, more.middle_half[0] / less.median, more.middle_half[1] / less.median)

    return found


def part_of(seconds: float, case: str, contender: str) -> Ratios:
    """How much of a number of seconds a contender takes."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        one = results.get(case, contender)
        if one:
            low, high = one.middle_half
            yield contender, Ratio(one.median / seconds, low / seconds, high / seconds)

    return found


def _by_hand_anywhere(results: Results) -> Iterator[tuple[str, Ratio]]:
    """Ours over hand-written psycopg, in whatever both have done: the same way to insert, the same colour of a stream."""
    for case in results.cases("run time"):
        for theirs in results.contenders(case):
            if theirs.contender.startswith(BY_HAND):
                mine = results.get(case, theirs.contender.replace(BY_HAND, GENERATED))
                if mine:
                    yield f"{case}{theirs.contender.removeprefix(BY_HAND)}", compare(mine, theirs)


def _both(case: str) -> tuple[str, str]:
    return case, f"{case}{ASYNC}"


_LOOP, _BATCH, _COPY = (f"{GENERATED}, {way}" for way in ("loop", "batch", "copy"))

TARGETS = (
    Target("run time", "hand-written psycopg", "at most", 1.03, _by_hand_anywhere),
    Target("run time", "sqlc-gen-python, one row by key", "at least", 2.2, faster(SQLC_DATACLASS, *_both(ONE_ROW))),
    Target("run time", "sqlc-gen-python, 1,000 rows", "at least", 2.2, faster(SQLC_DATACLASS, MANY_ROWS)),
    Target("run time", "sqlc-gen-python, 1,000 rows, async", "at least", 6, faster(SQLC_DATACLASS, f"{MANY_ROWS}{ASYNC}")),
    Target("run time", "the best rival's form, one row by key", "at least", 1.05, faster(RIVAL_FORM, *_both(ONE_ROW))),
    Target("run time", "the best rival's form, 1,000 rows", "at least", 1.25, faster(RIVAL_FORM, *_both(MANY_ROWS))),
    Target("run time", "asyncpg by hand, one row by key", "at least", 1, faster(ASYNCPG, f"{ONE_ROW}{ASYNC}")),
    Target("run time", "asyncpg by hand, 1,000 rows", "at least", 1.1, faster(ASYNCPG, f"{MANY_ROWS}{ASYNC}")),
    Target("run time", "the ORM", "at least", 3.5, faster(ORM, *_both(ONE_ROW), *_both(MANY_ROWS), *_both(INSERT), *_both(UPDATE))),
    Target("run time", "a loop, beside the batch", "at least", 2.5, faster(_LOOP, *_both(MANY_INSERTS), *_both(MANY_LOOKUPS), ours=_BATCH)),
    Target("run time", "a loop, beside the copy", "at least", 10, faster(_LOOP, *_both(MANY_INSERTS), ours=_COPY)),
    Target(
        "run time",
        "peak memory, 1,000,000 rows beside 10,000",
        "at most",
        1.1,
        together(*(memory(name, stream(STREAMS[-1]), stream(STREAMS[0])) for name in _both(GENERATED))),
    ),
    Target(
        "generation",
        "bare sqlc, nothing changed",
        "at most",
        0.35,
        together(*(slower(size(n), contender, BARE) for n in SIZES for contender in (UNCHANGED, CHECK_UNCHANGED))),
    ),
    Target("generation", "bare sqlc, one of 1,000 queries changed", "at most", 1.5, slower(size(1000), CHANGED, BARE)),
    Target(
        "generation",
        "5,000 queries beside 1,000",
        "at most",
        6,
        together(*(grown(contender, size(5000), size(1000)) for contender in (CHANGED, ANEW, CHECK))),
    ),
    Target("generation", "150 ms, import of 1,000 queries", "at most", 1, part_of(0.15, IMPORT, BEYOND)),
)


def to_json(results: Results) -> str:
    """One JSON document of the results and of where the targets stand; `Results.from_json` reads it."""
    standings = [
        {
            "what": target.what,
            "bound": target.bound,
            "limit": target.limit,
            "standing": target.standing(ratio),
            **asdict(ratio),
            "case": case,
        }
        for target in TARGETS
        for case, ratio in target.worst_first(results)[:1]
    ]
    return json.dumps({**results.as_document(), "targets": standings}, indent=1, ensure_ascii=False) + "\n"
