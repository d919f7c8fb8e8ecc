"""Checks histories of transactions that append to lists and read them, by Elle's idea, for the anomalies of Adya's theory.

Every appended value is unique, so a read of a list shows which transactions had written it, and in which order. From this follow the
dependencies: `ww` (wrote the next version), `wr` (read what the other one wrote), `rw` (read what the other one replaced). A cycle of them
is an anomaly, whose name depends on the kinds of its edges (Adya, "Weak Consistency", 1999; Kingsbury and Alvaro, "Elle", 2020).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Append:
    """Append a value, which is appended nowhere else, to a list."""

    key: int
    value: int


@dataclass(frozen=True, slots=True)
class Read:
    """Read a list."""

    key: int
    values: tuple[int, ...]


Step: TypeAlias = Append | Read


class Outcome(Enum):
    """What the client was answered."""

    COMMITTED = auto()
    ABORTED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a transaction did, in order, as far as it got; and when its COMMIT was sent and answered, in seconds, if it is known."""

    steps: tuple[Step, ...]
    outcome: Outcome
    committing: tuple[float, float] | None = None


class Anomaly(StrEnum):
    """What a history may contain."""

    G0 = "G0"
    """A cycle of writes: two transactions overwrote each other."""
    G1A = "G1a"
    """A read of what was rolled back."""
    G1B = "G1b"
    """A read of what its writer changed again."""
    G1C = "G1c"
    """A cycle of writes and reads: two transactions saw each other."""
    G_SINGLE = "G-single"
    """A cycle with one anti-dependency: a read is older than another one of the same transaction, or than what it wrote."""
    G2_ITEM = "G2-item"
    """A cycle with anti-dependencies, as in write skew."""
    G2_OF_COMMITS = "G2-item of commits at the same time"
    """A cycle of at least three, with an anti-dependency between two transactions that committed at the same time.

    PostgreSQL 15, 16 and 18 do not exclude it at serializable, which `test_commit_race.py` shows: others see a commit before the server has
    finished its records of conflicts for it. If another commit overtakes it there, which it should have followed, the conflict between the
    two is forgotten, and a third transaction that has seen only the first one is not rolled back.
    """
    LOST_UPDATE = "lost update"
    """Two transactions read the same version of a list, and both appended to it."""
    INTERNAL = "internal"
    """A transaction did not see its own writes."""
    LOST = "lost"
    """A committed append is missing at the end."""
    TWICE = "twice"
    """An append took effect twice."""
    UNWRITTEN = "unwritten"
    """A value that no transaction appended."""
    INCOMPATIBLE = "incompatible orders"
    """A read is none of the versions that led to the list at the end."""


ALWAYS = frozenset(
    {
        *(Anomaly.G0, Anomaly.G1A, Anomaly.G1B, Anomaly.G1C),
        *(Anomaly.INTERNAL, Anomaly.LOST, Anomaly.TWICE, Anomaly.UNWRITTEN, Anomaly.INCOMPATIBLE),
    }
)
"""What no isolation level of PostgreSQL allows."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An anomaly, with the numbers of the transactions, and what shows it."""

    anomaly: Anomaly
    transactions: tuple[int, ...]
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.anomaly}: transactions {', '.join(map(str, self.transactions))} {self.detail}".rstrip()


Graph: TypeAlias = Mapping[int, Iterable[int]]


class _History:
    """The transactions with what follows from the lists at the end: who wrote what, and the order of the versions of each list."""

    def __init__(self, transactions: Sequence[Transaction], final: Mapping[int, Sequence[int]]) -> None:
        self.transactions = transactions
        self.final = final
        self.writer = {step.value: number for number, each in enumerate(transactions) for step in each.steps if isinstance(step, Append)}
        self._there = frozenset(value for values in final.values() for value in values)

    def happened(self, number: int) -> bool:
        """Return whether a transaction was committed. One of unknown outcome was if it has left something."""
        each = self.transactions[number]
        has_left = any(isinstance(step, Append) and step.value in self._there for step in each.steps)
        return each.outcome is Outcome.COMMITTED or (each.outcome is Outcome.UNKNOWN and has_left)

    def committed_together(self, one: int, other: int) -> bool:
        """Return whether two transactions may have been committing at the same time."""
        times = self.transactions[one].committing, self.transactions[other].committing
        if times[0] is None or times[1] is None:
            return False
        return max(times[0][0], times[1][0]) <= min(times[0][1], times[1][1])

    def edges(self) -> tuple[dict[int, set[int]], dict[int, set[int]], dict[int, set[int]]]:
        """Return the dependencies between committed transactions: ww, wr and rw."""
        ww, wr, rw = (defaultdict[int, set[int]](set) for _ in range(3))
        following: dict[tuple[int, int | None], int] = {}
        for key, versions in self.final.items():
            before: int | None = None
            for value in versions:
                following[key, before] = value
                if before is not None:
                    self._link(ww, self.writer.get(before), self.writer.get(value))
                before = value
        for number, each in enumerate(self.transactions):
            if not self.happened(number):
                continue
            for step in external_reads(each):
                last = step.values[-1] if step.values else None
                if last is not None:
                    self._link(wr, self.writer.get(last), number)
                after = following.get((step.key, last))
                if after is not None:
                    self._link(rw, number, self.writer.get(after))
        return ww, wr, rw

    def _link(self, edges: dict[int, set[int]], one: int | None, other: int | None) -> None:
        if one is not None and other is not None and one != other and self.happened(one) and self.happened(other):
            edges[one].add(other)


def external_reads(transaction: Transaction) -> list[Read]:
    """Return the reads of lists that the transaction had not written before: what it saw of the others."""
    written: set[int] = set()
    found: list[Read] = []
    for step in transaction.steps:
        match step:
            case Append(key):
                written.add(key)
            case Read(key) if key not in written:
                found.append(step)
            case _:
                pass
    return found


def check(transactions: Sequence[Transaction], final: Mapping[int, Sequence[int]]) -> list[Finding]:
    """Return the anomalies of a history. `final` are the lists at the end, when no transaction was in progress."""
    history = _History(transactions, final)
    return [*_check_reads(history), *_check_end(history), *_check_lost_updates(history), *_check_cycles(history)]


def _check_reads(history: _History) -> Iterable[Finding]:
    for number, each in enumerate(history.transactions):
        if not _is_consistent(each):
            yield Finding(Anomaly.INTERNAL, (number,))
        # What a rolled back transaction has read may not be wrong either.
        for read in external_reads(each):
            if read.values != tuple(history.final.get(read.key, ())[: len(read.values)]):
                yield Finding(Anomaly.INCOMPATIBLE, (number,), f"list {read.key}")
            yield from _check_values(history, number, read)


def _check_values(history: _History, number: int, read: Read) -> Iterable[Finding]:
    for value in read.values:
        writer = history.writer.get(value)
        if writer is None:
            yield Finding(Anomaly.UNWRITTEN, (number,), f"value {value} of list {read.key}")
        elif history.transactions[writer].outcome is Outcome.ABORTED:
            yield Finding(Anomaly.G1A, (writer, number), f"value {value} of list {read.key}")
    writer = history.writer.get(read.values[-1]) if read.values else None
    if writer is not None and writer != number:
        written = [step.value for step in history.transactions[writer].steps if isinstance(step, Append) and step.key == read.key]
        if written and written[-1] != read.values[-1]:
            yield Finding(Anomaly.G1B, (writer, number), f"value {read.values[-1]} of list {read.key}")


def _is_consistent(transaction: Transaction) -> bool:
    """Return whether each read of a list ends with what the transaction has appended to it."""
    own: dict[int, tuple[int, ...]] = defaultdict(tuple)
    for step in transaction.steps:
        match step:
            case Append(key, value):
                own[key] += (value,)
            case Read(key, values):
                if values[len(values) - len(own[key]) :] != own[key]:
                    return False
    return True


def _check_end(history: _History) -> Iterable[Finding]:
    for key, values in history.final.items():
        if len(set(values)) < len(values):
            yield Finding(Anomaly.TWICE, tuple({history.writer[value] for value in values if values.count(value) > 1}), f"list {key}")
    there = {value for values in history.final.values() for value in values}
    for value in there:
        if value in history.writer and history.transactions[history.writer[value]].outcome is Outcome.ABORTED:
            yield Finding(Anomaly.G1A, (history.writer[value],), f"value {value} is there at the end")
    for number, each in enumerate(history.transactions):
        missing = [step.value for step in each.steps if isinstance(step, Append) and step.value not in there]
        # Of one whose outcome is unknown, everything happened or nothing.
        if missing and history.happened(number):
            yield Finding(Anomaly.LOST, (number,), f"values {missing}")


def _check_lost_updates(history: _History) -> Iterable[Finding]:
    updates: dict[tuple[int, tuple[int, ...]], list[int]] = defaultdict(list)
    for number, each in enumerate(history.transactions):
        written = {step.key for step in each.steps if isinstance(step, Append)}
        # The last read of each list before it was written.
        reads = {read.key: read.values for read in external_reads(each)}
        if history.happened(number):
            for key in reads.keys() & written:
                updates[key, reads[key]].append(number)
    return [Finding(Anomaly.LOST_UPDATE, tuple(numbers), f"list {key}") for (key, _), numbers in updates.items() if len(numbers) > 1]


def _check_cycles(history: _History) -> Iterable[Finding]:
    ww, wr, rw = history.edges()
    writes = components(ww)
    yield from (Finding(Anomaly.G0, tuple(sorted(each))) for each in writes)
    information = _union(ww, wr)
    seeing = components(information)
    yield from (Finding(Anomaly.G1C, tuple(sorted(each))) for each in seeing if _has_edge_within(wr, each))
    for each in components(_union(information, rw)):
        anti = [(one, other) for one in each for other in rw.get(one, ()) if other in each]
        if not anti:
            continue
        numbers = tuple(sorted(each))
        if any(_reaches(information, other, one, each) for one, other in anti):
            yield Finding(Anomaly.G_SINGLE, numbers)
        elif components(_union(_within(information, each), _remembered(history, anti))):
            yield Finding(Anomaly.G2_ITEM, numbers)
        else:
            yield Finding(Anomaly.G2_OF_COMMITS, numbers)


def _remembered(history: _History, anti: Collection[tuple[int, int]]) -> Graph:
    """Return the anti-dependencies without those that PostgreSQL may have forgotten, as `Anomaly.G2_OF_COMMITS` says."""
    found = defaultdict[int, set[int]](set)
    for one, other in anti:
        # Two anti-dependencies between the same two transactions are found before either is committed.
        is_pivot = any(writer == one and reader != other for reader, writer in anti)
        if not (is_pivot and history.committed_together(one, other)):
            found[one].add(other)
    return found


def _within(edges: Graph, component: frozenset[int]) -> Graph:
    return {node: {other for other in edges.get(node, ()) if other in component} for node in component}


def _union(one: Graph, other: Graph) -> dict[int, set[int]]:
    return {node: {*one.get(node, ()), *other.get(node, ())} for node in {*one, *other}}


def _has_edge_within(edges: Graph, component: frozenset[int]) -> bool:
    return any(other in component for one in component for other in edges.get(one, ()))


def _reaches(edges: Graph, start: int, goal: int, within: frozenset[int]) -> bool:
    found, waiting = {start}, [start]
    while waiting:
        node = waiting.pop()
        if node == goal:
            return True
        following = {other for other in edges.get(node, ()) if other in within} - found
        found |= following
        waiting += following
    return False


def components(edges: Graph) -> list[frozenset[int]]:  # noqa: C901 - one well-known algorithm
    """Return the strongly connected components of more than one node (Tarjan's algorithm, without recursion)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    found: list[frozenset[int]] = []
    for root in edges:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        path = [(root, iter(edges.get(root, ())))]
        while path:
            node, following = path[-1]
            for other in following:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    path.append((other, iter(edges.get(other, ()))))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == index[node]:
                    component = [stack.pop()]
                    while component[-1] != node:
                        component.append(stack.pop())
                    on_stack.difference_update(component)
                    if len(component) > 1:
                        found.append(frozenset(component))
    return found
