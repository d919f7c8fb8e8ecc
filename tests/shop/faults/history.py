"""What the clients did, and what they were answered: the material of the checker."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from shop.domain.values import OrderId, UserId


class Verdict(StrEnum):
    """What a client knows after an answer."""

    DONE = "done"
    REFUSED = "refused"
    """A rule of the shop refused it: recorded, and nothing else."""
    FAILED = "failed"
    """Nothing was done, and nothing recorded."""
    UNKNOWN = "unknown"
    """It was done, or not."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request; `order` and `version` only if it was done, and `is_replayed` if it was done before."""

    trace: str
    verdict: Verdict
    order: OrderId | None = None
    version: int = 0
    is_replayed: bool = False


@dataclass(slots=True)
class Operation:
    """A write that a client wanted once, with all of its requests. With a key, there may be several.

    Times are numbers of events in this process, which has one thread.
    """

    kind: str
    account: UserId
    order: OrderId | None
    key: str | None
    began: int
    answers: list[Answer] = field(default_factory=list[Answer])
    ended: int = 0

    @property
    def verdict(self) -> Verdict:
        """What is known in the end: a key is locked while a request under it is carried out, so a refusal of the last one is final."""
        found = [answer.verdict for answer in self.answers]
        if Verdict.DONE in found:
            return Verdict.DONE
        if found[-1] is Verdict.REFUSED:
            return Verdict.REFUSED
        return Verdict.UNKNOWN if Verdict.UNKNOWN in found else Verdict.FAILED

    @property
    def done(self) -> Answer:
        """The answer that acknowledged it."""
        return next(answer for answer in self.answers if answer.verdict is Verdict.DONE)


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """An order as it was read."""

    order: OrderId
    version: int
    status: str
    began: int
    ended: int


@dataclass(frozen=True, slots=True)
class TotalsSeen:
    """The totals of an account as they were read, through the cache."""

    account: UserId
    orders: int
    cancelled: int
    began: int
    ended: int


@dataclass
class History:
    """All that happened, in the order of its end."""

    operations: list[Operation] = field(default_factory=list[Operation])
    orders_seen: list[OrderSeen] = field(default_factory=list[OrderSeen])
    totals_seen: list[TotalsSeen] = field(default_factory=list[TotalsSeen])
    unanswered_reads: int = 0
    defects: list[str] = field(default_factory=list[str])
    _now: int = 0

    def now(self) -> int:
        """Return the next time."""
        self._now += 1
        return self._now

    def __len__(self) -> int:
        return len(self.operations) + len(self.orders_seen) + len(self.totals_seen) + self.unanswered_reads

    def outcomes(self) -> Counter[str]:
        """Count the writes by their verdict, the requests that repeated one, and the answers that were stored ones."""
        found = Counter[str](str(each.verdict) for each in self.operations)
        found["repeated requests"] = sum(len(each.answers) - 1 for each in self.operations)
        found["unknown answers"] = sum(answer.verdict is Verdict.UNKNOWN for each in self.operations for answer in each.answers)
        found["replayed answers"] = sum(answer.is_replayed for each in self.operations for answer in each.answers)
        found["reads"] = len(self.orders_seen) + len(self.totals_seen)
        found["reads without an answer"] = self.unanswered_reads
        return found
