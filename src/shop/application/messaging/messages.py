"""Events as messages: their form in the outbox, in the broker and in the inbox."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from shop.domain.events import Event

_EVENT_TYPES: dict[str, type[Event]] = {event_type.__name__: event_type for event_type in get_args(Event)}
_ADAPTERS: dict[type[Event], TypeAdapter[Event]] = {event_type: TypeAdapter(event_type) for event_type in _EVENT_TYPES.values()}


class UnreadableMessage(Exception):
    """The message is not an event of the shop, or one of another version."""


class Message(BaseModel):
    """An event with its metadata. `id` identifies repeated deliveries. The maximum lengths are those of outbox and inbox."""

    model_config = ConfigDict(frozen=True)

    id: uuid.UUID
    aggregate: Annotated[str, Field(max_length=120)]
    event_type: Annotated[str, Field(max_length=60)]
    payload: JsonValue
    trace_id: Annotated[str, Field(max_length=64)]
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """The type and content of an event."""

    event_type: str
    payload: JsonValue


def encode(event: Event) -> EncodedEvent:
    """Return the type and the JSON content of an event."""
    event_type = type(event)
    payload: JsonValue = _ADAPTERS[event_type].dump_python(event, mode="json")
    return EncodedEvent(event_type.__name__, payload)


def decode(message: Message) -> Event:
    """Return the event of a message.

    Raises:
        UnreadableMessage: its type is unknown, or its content does not match its type.
    """
    event_type = _EVENT_TYPES.get(message.event_type)
    if event_type is None:
        raise UnreadableMessage(f"unknown event type {message.event_type}")
    try:
        return _ADAPTERS[event_type].validate_python(message.payload)
    except ValidationError as error:
        # Not its text, which quotes the content.
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems)
        raise UnreadableMessage(f"{message.event_type}: {wrong}") from None


def read_message(body: bytes) -> Message:
    """Parse a delivery. A body that is not a message becomes one of an unknown event type with a stable id, and so a dead letter."""
    try:
        message = Message.model_validate_json(body)
    except ValidationError:
        return _unreadable(body)
    # PostgreSQL stores no NUL, so such a message cannot come from the outbox, and the inbox could not store it as a dead letter.
    return _unreadable(body) if _contains_nul(message.model_dump(mode="json")) else message


def _unreadable(body: bytes) -> Message:
    return Message(
        id=uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(body).hexdigest()),
        aggregate="unreadable",
        event_type="Unreadable",
        payload=body.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}"),
        trace_id="",
        occurred_at=datetime.fromtimestamp(0, UTC),
    )


def _contains_nul(value: JsonValue) -> bool:
    match value:
        case str():
            return "\0" in value
        case list():
            return any(_contains_nul(each) for each in value)
        case dict():
            return any(_contains_nul(key) or _contains_nul(each) for key, each in value.items())
        case _:
            return False
