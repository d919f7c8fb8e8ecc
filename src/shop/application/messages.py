"""Events as messages: the form in which they wait in the outbox and travel through the broker."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from shop.domain.events import Event

_EVENT_TYPES: dict[str, type[Event]] = {event_type.__name__: event_type for event_type in get_args(Event)}


_ADAPTERS: dict[type[Event], TypeAdapter[Event]] = {event_type: TypeAdapter(event_type) for event_type in _EVENT_TYPES.values()}


class UnreadableMessage(Exception):
    """A message that is no event of ours, or an older or newer one than this code knows."""


class Message(BaseModel):
    """An event on its way. `id` is what a repeated delivery is known by. The texts are as long as the outbox and the inbox hold them."""

    model_config = ConfigDict(frozen=True)

    id: uuid.UUID
    aggregate: Annotated[str, Field(max_length=120)]
    event_type: Annotated[str, Field(max_length=60)]
    payload: JsonValue
    trace_id: Annotated[str, Field(max_length=64)]
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """An event's type and content."""

    event_type: str
    payload: JsonValue


def encode(event: Event) -> EncodedEvent:
    """Give an event's type and content as JSON."""
    event_type = type(event)
    payload: JsonValue = _ADAPTERS[event_type].dump_python(event, mode="json")
    return EncodedEvent(event_type.__name__, payload)


def decode(message: Message) -> Event:
    """Give the event that a message carries.

    Raises:
        UnreadableMessage: its type is unknown, or its content is not that of its type.
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
