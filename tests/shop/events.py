"""Events of every kind, and messages that carry them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from shop.application.messaging.messages import Message, encode
from shop.domain.events import (
    AuthenticationFailed,
    AuthenticationSucceeded,
    Event,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    UserDeleted,
    UserPasswordChanged,
    UserProfileUpdated,
    UserRegistered,
    UserRoleChanged,
    aggregate_of,
)
from shop.domain.money import Currency, Money
from shop.domain.values import EmailAddress, OrderId, UserId

USER = UserId(uuid.UUID(int=7))
ORDER = OrderId(uuid.UUID(int=8))
TOTAL = Money(25_00, Currency.EUR)
EVENTS: list[Event] = [
    UserRegistered(USER),
    UserProfileUpdated(USER),
    UserPasswordChanged(USER),
    UserRoleChanged(USER, "clerk"),
    UserDeleted(USER),
    AuthenticationSucceeded(USER),
    AuthenticationFailed(EmailAddress("Ada@Example.org")),
    OrderPlaced(ORDER, USER, TOTAL),
    OrderPaid(ORDER, USER, TOTAL),
    OrderShipped(ORDER, USER),
    OrderCancelled(ORDER, USER, None),
    OrderCancelled(ORDER, USER, TOTAL),
]


def message(event: Event) -> Message:
    """Return a message of an event, at a time whose date depends on the time zone."""
    encoded = encode(event)
    return Message(
        id=uuid.uuid4(),
        aggregate=aggregate_of(event),
        event_type=encoded.event_type,
        version=encoded.version,
        payload=encoded.payload,
        trace_id="trace-1",
        occurred_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC),
    )
