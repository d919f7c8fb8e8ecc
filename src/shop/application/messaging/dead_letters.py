"""The use cases for dead letters: handle one after all, or discard it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar, final

from pydantic import JsonValue, ValidationError

from shop.application.context import Context
from shop.application.messaging.consumer import Verdict
from shop.application.messaging.contracts import NewerVersion, UnreadableMessage
from shop.application.messaging.messages import Message, decode
from shop.application.messaging.reader import HandlingRefused, Later
from shop.application.reads.dead_letters import RELAY, DeadLetterNotFound
from shop.application.transactions.failures import Failure, StoreLost, TransactionConflict
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Transactions
from shop.domain.events import Event
from shop.domain.result import Err, Ok, Result


class DeadLetterRepository(Protocol):
    """Dead letters, in their caller's transaction."""

    async def lock(self, consumer: str, message_id: uuid.UUID) -> JsonValue:
        """Lock a dead letter of a consumer and return its message, None if there is none."""
        ...

    async def settle(self, consumer: str, message_id: uuid.UUID) -> bool:
        """Make a dead letter of a consumer a handled message, and return whether there was one."""
        ...

    async def revive(self, message_id: uuid.UUID) -> bool:
        """Make a dead letter of the relay pending again, and return whether there was one."""
        ...

    async def discard(self, message_id: uuid.UUID) -> bool:
        """Remove a dead letter of the relay, and return whether there was one."""
        ...


class DeadLetterStores(Protocol):
    """The repositories that these use cases require."""

    @property
    def dead_letters(self) -> DeadLetterRepository:
        """The dead letters."""
        ...


S = TypeVar("S", bound=DeadLetterStores)
T = TypeVar("T")
S_contra = TypeVar("S_contra", bound=DeadLetterStores, contravariant=True)

Replay: TypeAlias = Callable[[Event, Message, S_contra], Awaitable[Verdict]]
"""Handles an event as a consumer does, in a transaction of these use cases."""


@final
@dataclass(frozen=True, slots=True)
class OutsideReplay(Generic[S_contra]):
    """Handles an event by an effect outside of the database.

    `prepare` returns what carries the effect out. What it writes is committed before, and stays whatever becomes of the effect and of the
    process.
    """

    prepare: Callable[[Event, Message, S_contra], Awaitable[Replay[S_contra]]]


@dataclass(frozen=True, slots=True)
class ReplayFailed:
    """The message cannot be handled now either. It stays a dead letter."""

    reason: str

    def __str__(self) -> str:
        return f"the message cannot be handled: {self.reason}"


class MessageUnhandled(Exception):
    """The handler of a dead letter has failed again, which the audit log names so."""


class DeadLetters(Generic[S]):
    """Replays and discards dead letters.

    The message of a consumer is handled at once, by that consumer's handler alone, and in one transaction with its settlement and the audit
    entry: the broker might take it for a duplicate, or have forgotten it. An `OutsideReplay` is prepared in a transaction before that. A
    message of the relay is published by the relay.
    """

    def __init__(self, transactions: Transactions[S], replays: Mapping[str, Replay[S] | OutsideReplay[S]]) -> None:
        self._transactions = transactions
        self._replays = replays

    async def replay(
        self, context: Context, consumer: str, message_id: uuid.UUID
    ) -> Result[None, DeadLetterNotFound | ReplayFailed | Failure]:
        """Handle a dead letter of a consumer, or have one of the relay published again."""
        replay = self._replays.get(consumer)
        try:
            if isinstance(replay, OutsideReplay):
                prepared = await self._prepare(context, consumer, message_id, replay)
                if isinstance(prepared, Err):
                    return prepared
                replay = prepared.value
            return await self._replay(context, consumer, message_id, replay)
        except MessageUnhandled as error:
            # The runner has rolled back, and recorded the failure.
            return Err(ReplayFailed(str(error)))

    async def _prepare(
        self, context: Context, consumer: str, message_id: uuid.UUID, replay: OutsideReplay[S]
    ) -> Result[Replay[S], DeadLetterNotFound | Failure]:
        async def work(operation: Operation[S]) -> Result[Replay[S], DeadLetterNotFound]:
            operation.subject = f"message:{message_id}"
            content = await operation.repositories.dead_letters.lock(consumer, message_id)
            if content is None:
                return await _not_found(operation, consumer, message_id)
            prepared = await _handle(replay.prepare, content, operation.repositories)
            operation.commit()
            return Ok(prepared)

        return await self._transactions.run(context, "messages.replay", work)

    async def _replay(
        self, context: Context, consumer: str, message_id: uuid.UUID, replay: Replay[S] | None
    ) -> Result[None, DeadLetterNotFound | Failure]:
        subject = f"message:{message_id}"

        async def work(operation: Operation[S]) -> Result[None, DeadLetterNotFound]:
            operation.subject = subject
            letters = operation.repositories.dead_letters
            if consumer == RELAY:
                is_found = await letters.revive(message_id)
            else:
                content = await letters.lock(consumer, message_id)
                if content is not None:
                    if replay is None:
                        raise MessageUnhandled(f"the consumer {consumer} does not run here")
                    if await _handle(replay, content, operation.repositories) is not Verdict.HANDLED:
                        raise MessageUnhandled("what the consumer depends on does not answer")
                is_found = await letters.settle(consumer, message_id)
            if not is_found:
                return await _not_found(operation, consumer, message_id)
            await operation.done(subject, consumer=consumer)
            return Ok(None)

        return await self._transactions.run(context, "messages.replay", work)

    async def discard(self, context: Context, consumer: str, message_id: uuid.UUID) -> Result[None, DeadLetterNotFound | Failure]:
        """Remove a dead letter. It will not take effect, not even if it is delivered again."""

        async def work(operation: Operation[S]) -> Result[None, DeadLetterNotFound]:
            letters = operation.repositories.dead_letters
            is_found = await (letters.discard(message_id) if consumer == RELAY else letters.settle(consumer, message_id))
            if not is_found:
                return await _not_found(operation, consumer, message_id)
            await operation.done(f"message:{message_id}", consumer=consumer)
            return Ok(None)

        return await self._transactions.run(context, "messages.discard", work)


async def _handle(handle: Callable[[Event, Message, S], Awaitable[T]], content: JsonValue, stores: S) -> T:
    """Handle the event of a stored message. Raises `MessageUnhandled`, `StoreLost` or `TransactionConflict`."""
    try:
        message = Message.model_validate(content)
        return await handle(decode(message), message, stores)
    except (StoreLost, TransactionConflict):
        raise
    except (UnreadableMessage, NewerVersion) as error:
        raise MessageUnhandled(str(error)) from None
    except ValidationError:
        raise MessageUnhandled("it was stored in another form") from None
    except (HandlingRefused, Later) as error:
        raise MessageUnhandled(str(error)) from None
    except Exception as error:
        # Only its type: the text of a handler's error may quote the message.
        raise MessageUnhandled(type(error).__name__) from error


async def _not_found(operation: Operation[S], consumer: str, message_id: uuid.UUID) -> Err[DeadLetterNotFound]:
    error = DeadLetterNotFound(consumer, message_id)
    # Without the consumer, which is any text here.
    await operation.refused(f"message:{message_id}", error)
    return Err(error)
