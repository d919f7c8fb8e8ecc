"""Events as messages: their form in the outbox, in the broker and in the inbox."""

from __future__ import annotations

import hashlib
import math
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from shop.application.messaging.catalogue import CATALOGUE
from shop.domain.events import Event

UNREADABLE: Final = "Unreadable"
"""The type of a delivery that is not a message."""

# A search is much faster than a look at each character: most of the time of a message was spent with it.
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def _in_utc(moment: datetime) -> datetime:
    # PostgreSQL knows fewer offsets than Python. A time without one is in UTC.
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not within the years 1 to 9999 in UTC") from None


class Message(BaseModel):
    """An event with its metadata. `id` identifies repeated deliveries. The maximum lengths are those of outbox and inbox."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    id: Annotated[uuid.UUID, Field(description="Identifies the event: the same in each delivery.")]
    aggregate: Annotated[str, Field(max_length=120, description="What has changed, as in `order:<id>`.")]
    event_type: Annotated[str, Field(max_length=60, description="The type of the event, as in `OrderPaid`.")]
    version: Annotated[int, Field(ge=1, le=32_767, description="The version of the payload; 1 where it is missing.")] = 1
    payload: Annotated[JsonValue, Field(description="The event.")]
    trace_id: Annotated[str, Field(max_length=64, description="The trace of the request, as in log lines and the audit log.")]
    occurred_at: Annotated[datetime, AfterValidator(_in_utc), Field(description="The time of the change.")]
    # In the outbox the span that wrote the event, on delivery the one that published it. In a header of the broker, not in the body.
    traceparent: Annotated[str, Field(exclude=True)] = ""


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """The type, version and content of an event."""

    event_type: str
    version: int
    payload: JsonValue


def encode(event: Event) -> EncodedEvent:
    """Return the type of an event, its current version, and its JSON content in that version."""
    contract = CATALOGUE.of(event)
    return EncodedEvent(contract.name, contract.version, contract.write(event))


def decode(message: Message) -> Event:
    """Return the event of a message, whatever version it has.

    Raises:
        NewerVersion: this program does not know the version.
        UnreadableMessage: its type is unknown, or its content does not match its version.
    """
    event: Event = CATALOGUE.named(message.event_type).read(message.version, message.payload)
    return event


def read_message(body: bytes, traceparent: str = "") -> Message:
    """Parse a delivery. A body that is not a message becomes one of the type `Unreadable` with a stable id, and so a dead letter."""
    try:
        message = Message.model_validate_json(body)
    except ValidationError:
        return _unreadable(body)
    # Such a message cannot come from the outbox, and the inbox could not store it as a dead letter.
    if not _is_storable([message.aggregate, message.event_type, message.trace_id, message.payload]):
        return _unreadable(body)
    return message if message.traceparent == traceparent else message.model_copy(update={"traceparent": traceparent})


def _unreadable(body: bytes) -> Message:
    return Message(
        id=uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(body).hexdigest()),
        aggregate="unreadable",
        event_type=UNREADABLE,
        payload=_as_text(body),
        trace_id="",
        occurred_at=datetime.fromtimestamp(0, UTC),
    )


def _as_text(body: bytes) -> str:
    r"""Return any bytes as text that PostgreSQL stores, from which they can be restored: \xNN for NUL and what is not UTF-8, \\ for \."""
    return body.replace(b"\\", rb"\\").replace(b"\0", rb"\x00").decode(errors="backslashreplace")


def _is_storable(value: JsonValue) -> bool:
    """Return whether a value has a form in PostgreSQL's jsonb, which has neither NUL, nor lone surrogates, NaN and infinite numbers."""
    match value:
        case str():
            return _UNSTORABLE.search(value) is None
        case float():
            return math.isfinite(value)
        case list():
            return all(map(_is_storable, value))
        case dict():
            return all(_is_storable(key) and _is_storable(each) for key, each in value.items())
        case _:
            return True
