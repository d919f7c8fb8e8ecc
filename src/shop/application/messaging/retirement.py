"""The use case that removes consumers that the program does not have any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from shop.application.authorisation import Action, NotAllowed, refusal
from shop.application.context import Context
from shop.application.messaging.broker import BrokerUnavailable
from shop.application.transactions.audit import AuditOutcome
from shop.application.transactions.failures import Unavailable
from shop.application.transactions.trail import Trail
from shop.domain.result import Err, Ok, Result


class Positions(Protocol):
    """The positions of consumers, as the broker keeps them."""

    async def waiting(self) -> Mapping[str, int]:
        """Return the number of messages that each consumer has not settled yet. Raises `BrokerUnavailable`."""
        ...

    async def forget(self, consumer: str) -> int:
        """Remove the positions of a consumer, and return how many there were. Raises `BrokerUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class ConsumerNotFound:
    """The broker has no positions of such a consumer."""

    consumer: str

    def __str__(self) -> str:
        return f"the broker knows no consumer {self.consumer}; shop consumers list shows those that it knows"


@dataclass(frozen=True, slots=True)
class BrokerLost:
    """The broker does not answer. Some of the positions may have been removed."""

    reason: str

    def __str__(self) -> str:
        return f"the broker is unavailable: {self.reason}"


RetireError: TypeAlias = NotAllowed | ConsumerNotFound | BrokerLost | Unavailable


class Retirement:
    """Removes consumers from the broker. The audit log has what the broker answered."""

    def __init__(self, positions: Positions, trail: Trail) -> None:
        self._positions = positions
        self._trail = trail

    async def retire(self, context: Context, consumer: str) -> Result[int, RetireError]:
        """Remove the positions of a consumer, and return how many there were. It can be repeated."""
        denied = refusal(context.actor, Action.RETIRE_CONSUMER)
        if denied is not None:
            return await self._refused(context, denied)
        # Until the broker knows it, the name is any text, which is not for the audit log.
        subject = "consumers"
        try:
            if consumer not in await self._positions.waiting():
                return await self._refused(context, ConsumerNotFound(consumer))
            subject = f"consumer:{consumer}"
            removed = await self._positions.forget(consumer)
        except BrokerUnavailable as lost:
            error = BrokerLost(str(lost))
            await self._trail.record(context, Action.RETIRE_CONSUMER, subject, AuditOutcome.FAILED, reason=type(error).__name__)
            return Err(error)
        recorded = await self._trail.record(context, Action.RETIRE_CONSUMER, subject, AuditOutcome.DONE, removed=str(removed))
        return recorded if isinstance(recorded, Err) else Ok(removed)

    async def _refused(self, context: Context, error: NotAllowed | ConsumerNotFound) -> Err[NotAllowed | ConsumerNotFound]:
        await self._trail.record(context, Action.RETIRE_CONSUMER, "consumers", AuditOutcome.REFUSED, reason=type(error).__name__)
        return Err(error)
