"""The claiming consumer: for effects outside of the database, during which no transaction is open."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

from shop.application.cancellation import to_the_end
from shop.application.messaging.consumer import Verdict
from shop.application.messaging.idempotent_consumer import Inbox, InboxEntry
from shop.application.messaging.messages import Message
from shop.application.messaging.reader import Later
from shop.application.transactions.failures import CommitOutcomeUnknown, StoreLost, TransactionConflict
from shop.domain.events import Event

F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)
F_contra = TypeVar("F_contra", contravariant=True)
P = TypeVar("P")

_log = logging.getLogger("shop.consumer")

# Longer than an effect takes. Whoever claims a message and dies delays it for as long.
_CLAIM: Final = timedelta(seconds=30)
# A program that stops does not wait for a database that does not answer.
_STOPS_WITHIN: Final = 2.0


class Claim(InboxEntry[F_co], Protocol[F_co]):
    """A message in the inbox, locked until the end of its transaction."""

    @property
    def until(self) -> datetime | None:
        """The end of the claim; None if there is none, since the message is settled or has another claim."""
        ...

    async def keep(self) -> None:
        """Commit the claim together with the effects. Raises `CommitOutcomeUnknown`.

        For a settled message, return when what settled it is as safe as a commit.
        """
        ...


class ClaimableInbox(Inbox[F_co], Protocol[F_co]):
    """An inbox whose messages can be claimed. Its methods raise `StoreLost` or `TransactionConflict`."""

    def claim(self, message: Message, lease: timedelta) -> AbstractAsyncContextManager[Claim[F_co]]:
        """Begin a transaction and claim the message in it; it is rolled back unless `keep` or `handled` is called."""
        ...

    def release(self, message: Message, until: datetime) -> AbstractAsyncContextManager[F_co | None]:
        """Begin a transaction that ends a claim, and commit it at the end of the block, with what is written to the effects.

        They are None if the claim has ended, and another process may have the message.
        """
        ...


class OutsideEffect(Protocol[F_contra, P]):
    """What handles events by an effect outside of the database."""

    async def prepare(self, event: Event, message: Message, effects: F_contra) -> P | None:
        """Return what is to be carried out, None if nothing is. A message may be prepared again, and is then in no effect twice."""
        ...

    async def carry_out(self, prepared: P) -> None:
        """Carry it out, outside of a transaction. It may be cancelled."""
        ...

    async def take_back(self, prepared: P, effects: F_contra) -> None:
        """Undo what the preparation wrote, unless it was carried out, or may have been: it failed, or was cancelled."""
        ...


class ClaimingConsumer(Generic[F, P]):
    """An `EventProcessor` that claims and prepares a message in a transaction, carries out its effect, and records that in another.

    The effect is repeated only if the process dies or loses the database between the effect and its record, or is stopped before it
    knows whether the effect took place.
    """

    def __init__(self, inbox: ClaimableInbox[F], effect: OutsideEffect[F, P]) -> None:
        self._inbox = inbox
        self._effect = effect

    async def __call__(self, event: Event, message: Message) -> Verdict:
        """Handle an event, unless its message was handled before. Raises `Later` while another process does."""
        async with self._inbox.claim(message, _CLAIM) as claim:
            if claim.is_settled:
                _log.info("message %s was handled before", message.id)
                # As the idempotent consumer does.
                await claim.keep()
                return Verdict.HANDLED
            if claim.until is None:
                raise Later("another process handles the message")
            prepared = await self._effect.prepare(event, message, claim.effects)
            if prepared is None:
                await claim.handled()
                return Verdict.HANDLED
            await claim.keep()
            until = claim.until
        try:
            await self._effect.carry_out(prepared)
        except asyncio.CancelledError:
            await to_the_end(self._stop(message, prepared, until))
            raise
        except Exception:
            if not await self._give_up(message, prepared, until):
                # What this process did with it is no failure of the message.
                raise Later("another process handles the message") from None
            raise
        # Also if it is cancelled now, or it would be carried out again.
        await to_the_end(self._record(message))
        return Verdict.HANDLED

    async def _stop(self, message: Message, prepared: P, until: datetime) -> None:
        # Whatever prevents it: the claim ends by itself.
        with suppress(StoreLost, TransactionConflict, CommitOutcomeUnknown, TimeoutError):
            async with asyncio.timeout(_STOPS_WITHIN):
                await self._give_up(message, prepared, until)

    async def _give_up(self, message: Message, prepared: P, until: datetime) -> bool:
        """End the claim, and return whether there still was one."""
        async with self._inbox.release(message, until) as effects:
            if effects is not None:
                await self._effect.take_back(prepared, effects)
            return effects is not None

    async def _record(self, message: Message) -> None:
        async with self._inbox.enter(message) as entry:
            await entry.handled()
