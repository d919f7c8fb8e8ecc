"""What the clients did, and what they were answered: the material of the checker."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from shop.domain.values import OrderId, UserId

ACTIONS: Final = {
    "place": "order.place",
    "pay": "order.pay",
    "ship": "order.ship",
    "cancel": "order.cancel",
    "update": "user.update_profile",
    "change the password": "user.change_password",
    "log out": "session.end",
    "log out everywhere": "user.end_sessions",
}
"""The kinds of writes, by their names in the audit log."""


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
    name: str = ""
    """The first name that an update writes."""

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
    """An order as it was read; version 0 if it was not found."""

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


@dataclass(frozen=True, slots=True)
class UserSeen:
    """A user as read; the version is None where the name was read through the cache."""

    user: UserId
    version: int | None
    name: str
    began: int
    ended: int


@dataclass
class History:
    """All that happened, in the order of its end."""

    operations: list[Operation] = field(default_factory=list[Operation])
    orders_seen: list[OrderSeen] = field(default_factory=list[OrderSeen])
    totals_seen: list[TotalsSeen] = field(default_factory=list[TotalsSeen])
    users_seen: list[UserSeen] = field(default_factory=list[UserSeen])
    of_sessions: Counter[str] = field(default_factory=Counter[str])
    """The answers to clients with sessions."""
    replayed: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Times at which the replica had everything from before another time."""
    unanswered_reads: int = 0
    defects: list[str] = field(default_factory=list[str])
    _now: int = 0

    def now(self) -> int:
        """Return the next time."""
        self._now += 1
        return self._now

    def known(self, began: int) -> int:
        """Return the time before which everything that was acknowledged is in each answer to a read."""
        if not self.replayed:
            return began
        # The first pair is of the beginning, with nothing before it.
        return self.replayed[max(bisect_left(self.replayed, (began, 0)) - 1, 0)][1]

    def __len__(self) -> int:
        seen = len(self.orders_seen) + len(self.totals_seen) + len(self.users_seen)
        return len(self.operations) + seen + self.unanswered_reads

    def outcomes(self) -> Counter[str]:
        """Count the writes by their verdict, the requests that repeated one, and the answers that were stored ones."""
        found = Counter[str](str(each.verdict) for each in self.operations)
        found["repeated requests"] = sum(len(each.answers) - 1 for each in self.operations)
        found["unknown answers"] = sum(answer.verdict is Verdict.UNKNOWN for each in self.operations for answer in each.answers)
        found["replayed answers"] = sum(answer.is_replayed for each in self.operations for answer in each.answers)
        found["reads"] = len(self.orders_seen) + len(self.totals_seen) + len(self.users_seen)
        found["reads without an answer"] = self.unanswered_reads
        return found
