"""The targets: ratios within one run, each with a limit that was set before anything was measured."""

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
    DIRECT,
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
    TASKS,
    TRACED,
    TRACED_DIRECT,
    UNCHANGED,
    UPDATE,
    UVLOOP,
    mixed,
    size,
    stream,
)
from benchmarks.results import Group, Ratio, Results, compare

Standing = Literal["met", "undecided", "missed"]
Ratios = Callable[[Results], Iterator[tuple[str, Ratio]]]


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for one or more named ratios, all of which must keep it."""

    group: Group
    what: str
    bound: Literal["at most", "at least"]
    limit: float
    ratios: Ratios

    def standing(self, ratio: Ratio) -> Standing:
        """Return whether the median keeps the limit; undecided if it does not but part of the middle half does."""
        if self._keeps(ratio.median):
            return "met"
        return "undecided" if self._keeps(ratio.low) or self._keeps(ratio.high) else "missed"

    def _keeps(self, ratio: float) -> bool:
        return ratio <= self.limit if self.bound == "at most" else ratio >= self.limit

    def worst_first(self, results: Results) -> list[tuple[str, Ratio]]:
        """Return the ratios of the run, hardest first; empty if the run has none of them."""
        return sorted(self.ratios(results), key=lambda found: found[1].median, reverse=self.bound == "at most")


def faster(contender: str, *cases: str, ours: str = GENERATED) -> Ratios:
    """Return a contender's time relative to ours in each case that has both."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        for case in cases:
            theirs, mine = results.get(case, contender), results.get(case, ours)
            if theirs and mine:
                yield case, compare(theirs, mine)

    return found


def memory(contender: str, case: str, other: str) -> Ratios:
    """Return a contender's peak memory in one case relative to another case."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        more, less = results.get(case, contender), results.get(other, contender)
        if more and less and more.peak_memory and less.peak_memory:
            ratio = more.peak_memory / less.peak_memory
            yield contender, Ratio(ratio, ratio, ratio)

    return found


def together(*ratios: Ratios) -> Ratios:
    """All of them."""
    return lambda results: (found for each in ratios for found in each(results))


def slower(case: str, contender: str, other: str) -> Ratios:
    """Return a contender's time in a case relative to another contender's."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        more, less = results.get(case, contender), results.get(case, other)
        if more and less:
            yield case, compare(more, less)

    return found


def grown(contender: str, case: str, other: str) -> Ratios:
    """Return a contender's time in one case relative to another case; the rounds of two cases are not paired."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        more, less = results.get(case, contender), results.get(other, contender)
        if more and less:
            yield contender, Ratio(more.median / less.median, more.middle_half[0] / less.median, more.middle_half[1] / less.median)

    return found


def part_of(seconds: float, case: str, contender: str) -> Ratios:
    """Return a contender's time relative to a number of seconds."""

    def found(results: Results) -> Iterator[tuple[str, Ratio]]:
        one = results.get(case, contender)
        if one:
            low, high = one.middle_half
            yield contender, Ratio(one.median / seconds, low / seconds, high / seconds)

    return found


def _by_hand_anywhere(results: Results) -> Iterator[tuple[str, Ratio]]:
    """Return our time relative to hand-written psycopg in everything both do: the same way to insert, the same colour of a stream."""
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
    Target(
        "run time",
        "tracing off, calls not sampled",
        "at most",
        1.1,
        together(
            *(
                slower(case, traced, untraced)
                for one in (ONE_ROW, MANY_ROWS, INSERT, UPDATE)
                for case in _both(one)
                for traced, untraced in ((TRACED, GENERATED), (TRACED_DIRECT, DIRECT))
            )
        ),
    ),
    Target("run time", "loop / batch", "at least", 2.5, faster(_LOOP, *_both(MANY_INSERTS), *_both(MANY_LOOKUPS), ours=_BATCH)),
    Target("run time", "loop / copy", "at least", 10, faster(_LOOP, *_both(MANY_INSERTS), ours=_COPY)),
    Target(
        "run time",
        "peak memory, 1,000,000 / 10,000 rows",
        "at most",
        1.1,
        together(*(memory(name, stream(STREAMS[-1]), stream(STREAMS[0])) for name in _both(GENERATED))),
    ),
    Target("run time", "direct / psycopg by hand, one row by key", "at most", 0.6, slower(ONE_ROW, DIRECT, BY_HAND)),
    Target("run time", "direct / asyncpg by hand, one row by key", "at most", 0.85, slower(f"{ONE_ROW}{ASYNC}", DIRECT, ASYNCPG)),
    Target("run time", "direct / asyncpg by hand, one row by key, uvloop", "at most", 1, slower(f"{ONE_ROW}{UVLOOP}", DIRECT, ASYNCPG)),
    Target(
        "run time",
        "direct / psycopg by hand, 1,000 rows",
        "at most",
        0.95,
        together(*(slower(case, DIRECT, BY_HAND) for case in (*_both(MANY_ROWS), f"{MANY_ROWS}{UVLOOP}"))),
    ),
    Target(
        "run time",
        "direct / asyncpg by hand, 1,000 rows",
        "at most",
        0.85,
        together(*(slower(f"{MANY_ROWS}{loop}", DIRECT, ASYNCPG) for loop in (ASYNC, UVLOOP))),
    ),
    Target("run time", "asyncpg by hand / direct, 64 tasks on a pool", "at least", 1, slower(mixed(TASKS[-1]), ASYNCPG, DIRECT)),
    Target(
        "run time",
        "batch / asyncpg by hand's, 1,000 inserts",
        "at most",
        1,
        slower(f"{MANY_INSERTS}{ASYNC}", f"{DIRECT}, batch", f"{ASYNCPG}, batch"),
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
        "5,000 / 1,000 queries",
        "at most",
        6,
        together(*(grown(contender, size(5000), size(1000)) for contender in (CHANGED, ANEW, CHECK))),
    ),
    Target("generation", "100 ms, import of 1,000 queries", "at most", 1, part_of(0.1, IMPORT, BEYOND)),
)


def to_json(results: Results) -> str:
    """Return one JSON document of the results and the targets' standing; `Results.from_json` reads it."""
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
