"""Measurements: seconds by round, and the statistics over them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Group = Literal["run time", "generation"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One contender of one case: seconds per call in each round, the peak resident memory of its process in KiB, and its round trips.

    `plan` are the nodes of the plan that PostgreSQL executes.
    Contenders of a case take turns, so that their rounds correspond in order.
    """

    group: Group
    case: str
    contender: str
    rounds: tuple[float, ...]
    peak_memory: int | None = None
    round_trips: int | None = None
    plan: str | None = None

    @property
    def median(self) -> float:
        """The median of the rounds in seconds."""
        return statistics.median(self.rounds)

    @property
    def middle_half(self) -> tuple[float, float]:
        """The first and the third quartile of the rounds in seconds."""
        return _middle_half(self.rounds)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A comparison of two measurements: the median and the middle half of the ratios of their rounds."""

    median: float
    low: float
    high: float


def compare(numerator: Measurement, denominator: Measurement) -> Ratio:
    """Divide the times round by round, since whatever slows down a round slows down both."""
    pairs = zip(numerator.rounds, denominator.rounds, strict=True)
    ratios = [above / below for above, below in pairs]
    return Ratio(statistics.median(ratios), *_middle_half(ratios))


def _middle_half(values: Iterable[float]) -> tuple[float, float]:
    given = list(values)
    if len(given) == 1:
        return given[0], given[0]
    low, _, high = statistics.quantiles(given, n=4, method="inclusive")
    return low, high


class Results:
    """All measurements of a run, by case and contender, and the versions they were made with."""

    def __init__(self, measurements: Iterable[Measurement], setting: Mapping[str, str]) -> None:
        self.measurements = tuple(measurements)
        self.setting = dict(setting)
        self._found = {(one.case, one.contender): one for one in self.measurements}

    def get(self, case: str, contender: str) -> Measurement | None:
        """Return a measurement, or None if the run left it out."""
        return self._found.get((case, contender))

    def cases(self, group: Group) -> tuple[str, ...]:
        """The cases of a group in the order in which they were measured."""
        return tuple(dict.fromkeys(one.case for one in self.measurements if one.group == group))

    def contenders(self, case: str) -> tuple[Measurement, ...]:
        """The measurements of a case."""
        return tuple(one for one in self.measurements if one.case == case)

    def as_document(self) -> dict[str, Any]:
        """Return it as JSON values: every round, and the medians for human readers."""
        found = [{**asdict(one), "median": one.median, "middle_half": one.middle_half} for one in self.measurements]
        return {"setting": self.setting, "measurements": found}

    @classmethod
    def from_json(cls, text: str) -> Results:
        """Read a JSON document of `as_document`."""
        document: dict[str, Any] = json.loads(text)
        found = (
            Measurement(
                one["group"], one["case"], one["contender"], tuple(one["rounds"]), one["peak_memory"], one["round_trips"], one["plan"]
            )
            for one in document["measurements"]
        )
        return cls(found, document["setting"])
