"""The reader: decides what becomes of a message before its event is handled."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol, TypeAlias

from shop.application.messaging.consumer import Failed, Verdict
from shop.application.messaging.contracts import NewerVersion, UnreadableMessage
from shop.application.messaging.messages import UNREADABLE, Message, decode
from shop.application.outages import SETTLED, Outage
from shop.application.transactions.failures import CommitOutcomeUnknown, StoreLost, TransactionConflict
from shop.domain.events import Event

_log = logging.getLogger("shop.consumer")

EventProcessor: TypeAlias = Callable[[Event, Message], Awaitable[Verdict]]


class NotReady(Exception):
    """What a handler depends on does not answer. The message waits for it, and no failure is counted."""


class Later(Exception):
    """This message has to wait, and no other does. No failure is counted."""


class HandlingRefused(Exception):
    """Handling a message failed for a reason outside of the program, of which the log has no traceback."""


class Graveyard(Protocol):
    """Stores the dead letters of a consumer. Its methods raise `StoreLost` or `TransactionConflict`."""

    async def count_failure(self, message: Message, error: str) -> int:
        """Record a failure to handle the message, and return the number of its failures."""
        ...

    async def bury(self, message: Message) -> None:
        """Make a message, whose failure was counted, a dead letter."""
        ...


class MessageReader:
    """A `Processor` that passes the events of messages on.

    - A type that the consumer does not handle is skipped: it concerns others.
    - A newer version of a type that it handles waits for a newer program, which a deployment is about to start: to skip it would lose its
      effect, and later events of its aggregate would overtake it.
      With `buries_newer` it is a dead letter instead, for after a deployment that was reverted.
    - A content that does not match its version is a dead letter.
    - If the database is unavailable, or the processor is `NotReady`, the message waits.
    - If the processor raises `Later`, the message alone waits.
    - If the processor raises anything else, the message is redelivered, up to `attempts` times; then it is a dead letter.
    """

    def __init__(
        self,
        types: Collection[type[Event]],
        graveyard: Graveyard,
        process: EventProcessor,
        *,
        attempts: int = 5,
        buries_newer: bool = False,
    ) -> None:
        self._types = frozenset(each.__name__ for each in types)
        self._graveyard = graveyard
        self._process = process
        self._attempts = attempts
        self._buries_newer = buries_newer
        self._store_outage = Outage(_log, "messages wait for the database", "the database answers again")
        self._not_ready = Outage(_log, "messages wait", "messages are handled again", settled=SETTLED)
        self._skipped = set[str]()
        self._newer = set[str]()

    @property
    def types(self) -> frozenset[str]:
        """The types that the consumer handles."""
        return self._types

    async def __call__(self, message: Message) -> Verdict | Failed:
        """Read a message, and process its event."""
        try:
            verdict = await self._read(message)
        except (StoreLost, TransactionConflict, CommitOutcomeUnknown) as lost:
            # After an unknown outcome the message is redelivered, and then the inbox shows whether it was handled.
            self._store_outage.begin(lost)
            return Verdict.NOT_NOW
        self._store_outage.end()
        return verdict

    async def _read(self, message: Message) -> Verdict | Failed:
        if message.event_type not in self._types | {UNREADABLE}:
            self._log_once(self._skipped, message, f"is skipped: {message.event_type} is not handled here")
            return Verdict.SKIPPED
        try:
            event = decode(message)
        except NewerVersion as error:
            if self._buries_newer:
                await self._graveyard.count_failure(message, str(error))
                return await self._bury(message, error)
            self._log_once(self._newer, message, f"waits for a newer program: {error}")
            return Verdict.NOT_NOW
        except UnreadableMessage as error:
            await self._graveyard.count_failure(message, str(error))
            return await self._bury(message, error)
        try:
            verdict = await self._process(event, message)
        except (StoreLost, TransactionConflict, CommitOutcomeUnknown):
            raise
        except NotReady as lost:
            self._not_ready.begin(lost)
            return Verdict.NOT_NOW
        except Later as reason:
            _log.info("message %s waits: %s", message.id, reason)
            return Verdict.LATER
        except Exception as error:  # noqa: BLE001 no error of a handler may stop the consumer
            failures = await self._graveyard.count_failure(message, f"{type(error).__name__}: {error}")
            if isinstance(error, HandlingRefused):
                _log.warning("handling message %s failed, attempt %d: %s", message.id, failures, error)
            else:
                _log.warning("handling message %s failed, attempt %d", message.id, failures, exc_info=True)
            return await self._bury(message, error) if failures >= self._attempts else Failed(failures)
        self._not_ready.end()
        return verdict

    async def _bury(self, message: Message, error: Exception) -> Verdict:
        await self._graveyard.bury(message)
        # Only its type: the text of a handler's error may quote the message.
        _log.error("message %s is a dead letter now: %s", message.id, type(error).__name__)
        return Verdict.DEAD

    def _log_once(self, logged: set[str], message: Message, what: str) -> None:
        """Log what becomes of messages of a type as a warning for the first of them: there may be many, and they may be redelivered."""
        key = f"{message.event_type}.{message.version}"
        _log.log(logging.DEBUG if key in logged else logging.WARNING, "message %s %s", message.id, what)
        logged.add(key)
