"""The checker of list histories, on histories written by hand that have each anomaly, and on ones that have none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from .faults.cycles import Anomaly, Append, Outcome, Read, Step, Transaction, check, components

X, Y, Z = 1, 2, 3


def committed(*steps: Step, at: tuple[float, float] | None = None) -> Transaction:
    return Transaction(steps, Outcome.COMMITTED, at)


def aborted(*steps: Step) -> Transaction:
    return Transaction(steps, Outcome.ABORTED)


def unknown(*steps: Step, at: tuple[float, float] | None = None) -> Transaction:
    return Transaction(steps, Outcome.UNKNOWN, at)


def x(*values: int) -> Read:
    return Read(X, values)


def y(*values: int) -> Read:
    return Read(Y, values)


def found(transactions: Sequence[Transaction], final: Mapping[int, Sequence[int]]) -> set[tuple[Anomaly, tuple[int, ...]]]:
    return {(finding.anomaly, finding.transactions) for finding in check(transactions, final)}


CASES: dict[str, tuple[list[Transaction], dict[int, list[int]], set[tuple[Anomaly, tuple[int, ...]]]]] = {
    "one after the other": (
        [committed(Append(X, 1), Append(Y, 2)), committed(x(1), Append(X, 3), x(1, 3)), committed(x(1, 3), y(2))],
        {X: [1, 3], Y: [2]},
        set(),
    ),
    "rolled back, and nothing is left": ([aborted(Append(X, 1), x(1)), committed(x())], {}, set()),
    "unknown, and nothing is left": ([unknown(Append(X, 1), Append(Y, 2)), committed(x())], {}, set()),
    "unknown, and all is there": ([unknown(Append(X, 1), Append(Y, 2)), committed(x(1))], {X: [1], Y: [2]}, set()),
    "unknown, and half is there": ([unknown(Append(X, 1), Append(Y, 2))], {X: [1]}, {(Anomaly.LOST, (0,))}),
    "G0": (
        [committed(Append(X, 1), Append(Y, 2)), committed(Append(X, 3), Append(Y, 4))],
        {X: [1, 3], Y: [4, 2]},
        {(Anomaly.G0, (0, 1))},
    ),
    "G1a": (
        [aborted(Append(X, 1)), committed(x(1))],
        {X: []},
        {(Anomaly.G1A, (0, 1)), (Anomaly.INCOMPATIBLE, (1,))},
    ),
    "G1a, by what is there at the end": ([aborted(Append(X, 1))], {X: [1]}, {(Anomaly.G1A, (0,))}),
    # Its reader is between two writes of one transaction, so it is also in a cycle.
    "G1b": (
        [committed(Append(X, 1), Append(X, 2)), committed(x(1))],
        {X: [1, 2]},
        {(Anomaly.G1B, (0, 1)), (Anomaly.G_SINGLE, (0, 1))},
    ),
    "G1c": ([committed(Append(X, 1), y(2)), committed(Append(Y, 2), x(1))], {X: [1], Y: [2]}, {(Anomaly.G1C, (0, 1))}),
    "G1c, of three": (
        [committed(Append(X, 1), Read(Z, (3,))), committed(x(1), Append(Y, 2)), committed(y(2), Append(Z, 3))],
        {X: [1], Y: [2], Z: [3]},
        {(Anomaly.G1C, (0, 1, 2))},
    ),
    "read skew": (
        [committed(Append(X, 1), Append(Y, 2)), committed(x(), y(2))],
        {X: [1], Y: [2]},
        {(Anomaly.G_SINGLE, (0, 1))},
    ),
    "a read that cannot be repeated": ([committed(Append(X, 1)), committed(x(), x(1))], {X: [1]}, {(Anomaly.G_SINGLE, (0, 1))}),
    "lost update": (
        [committed(x(), Append(X, 1)), committed(x(), Append(X, 2))],
        {X: [1, 2]},
        {(Anomaly.LOST_UPDATE, (0, 1)), (Anomaly.G_SINGLE, (0, 1))},
    ),
    "write skew": (
        [committed(x(), y(), Append(X, 1)), committed(x(), y(), Append(Y, 2))],
        {X: [1], Y: [2]},
        {(Anomaly.G2_ITEM, (0, 1))},
    ),
    # The third saw the second one, which the first one did not, and does not see the first one.
    "read-only anomaly, of commits at the same time": (
        [committed(x(), Append(Y, 1), at=(1, 3)), committed(Append(X, 2), at=(2, 4)), committed(x(2), y(), at=(5, 6))],
        {X: [2], Y: [1]},
        {(Anomaly.G2_OF_COMMITS, (0, 1, 2))},
    ),
    "read-only anomaly, of an unknown commit": (
        [committed(x(), Append(Y, 1), at=(3, 4)), unknown(Append(X, 2), at=(1, math.inf)), committed(x(2), y(), at=(5, 6))],
        {X: [2], Y: [1]},
        {(Anomaly.G2_OF_COMMITS, (0, 1, 2))},
    ),
    "read-only anomaly, of commits one after the other": (
        [committed(x(), Append(Y, 1), at=(3, 4)), committed(Append(X, 2), at=(1, 2)), committed(x(2), y(), at=(3, 4))],
        {X: [2], Y: [1]},
        {(Anomaly.G2_ITEM, (0, 1, 2))},
    ),
    "write skew, of commits at the same time": (
        [committed(x(), y(), Append(X, 1), at=(1, 2)), committed(x(), y(), Append(Y, 2), at=(1, 2))],
        {X: [1], Y: [2]},
        {(Anomaly.G2_ITEM, (0, 1))},
    ),
    "own writes unseen": ([committed(Append(X, 1), x())], {X: [1]}, {(Anomaly.INTERNAL, (0,))}),
    "lost": ([committed(Append(X, 1)), committed(Append(X, 2))], {X: [2]}, {(Anomaly.LOST, (0,))}),
    "twice": ([committed(Append(X, 1))], {X: [1, 1]}, {(Anomaly.TWICE, (0,))}),
    "unwritten": ([committed(x(9))], {X: [9]}, {(Anomaly.UNWRITTEN, (0,))}),
    "other orders": ([committed(Append(X, 1)), committed(Append(X, 2)), committed(x(2))], {X: [1, 2]}, {(Anomaly.INCOMPATIBLE, (2,))}),
}


@pytest.mark.parametrize("case", CASES)
def test_each_anomaly_is_found_and_nothing_else(case: str) -> None:
    transactions, final, expected = CASES[case]
    assert found(transactions, final) == expected


def test_components_of_a_long_cycle_need_no_recursion() -> None:
    length = 50_000
    cycle = {number: [(number + 1) % length] for number in range(length)}
    assert components(cycle) == [frozenset(range(length))]
    assert components({number: [number + 1] for number in range(length)}) == []
