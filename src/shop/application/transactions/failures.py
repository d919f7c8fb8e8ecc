"""What can go wrong beneath a use case: exceptions of the adapters, and the values that the runner turns them into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from shop.application.transactions.answers import AlreadyAnswered, KeyInUse, KeyReused

# --- Exceptions of the adapters -----------------------------------------------------------------------------------------


class TransactionConflict(Exception):
    """The transaction was rolled back because of another one; running the use case again may succeed."""


class LockTimeout(TransactionConflict):
    """Another transaction held a lock for longer than the lock timeout. Not retried at once, which would occupy a connection again."""


class StoreLost(Exception):
    """The database does not answer or the connection broke. Nothing was committed."""


class CommitOutcomeUnknown(Exception):
    """The connection broke during the commit: everything was written, or nothing. Or a synchronous standby may lack what was committed."""


class StoreDefect(Exception):
    """The database returned an error that no use case expects: a defect in the program or in the schema."""


class UnitOfWorkClosed(Exception):
    """A repository was used after the end of its transaction: a defect in the program."""


# --- Values ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The database is unavailable; nothing was written, and it is safe to retry later."""

    reason: str

    def __str__(self) -> str:
        return f"the database is unavailable: {self.reason}"


@dataclass(frozen=True, slots=True)
class TooMuchContention:
    """Every attempt met a conflict, or a lock was held for too long; nothing was written."""

    attempts: int

    def __str__(self) -> str:
        times = "one attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return f"conflict with other transactions after {times}; nothing was written"


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The connection broke during the commit, or a synchronous standby may lack it. Check the current state before retrying."""

    action: str

    def __str__(self) -> str:
        return f"it is unknown whether {self.action} was committed; check the current state before retrying"


Failure: TypeAlias = Unavailable | TooMuchContention | OutcomeUnknown | AlreadyAnswered | KeyInUse | KeyReused
"""How any use case can fail; the last three are only for a caller whose request has a key."""
