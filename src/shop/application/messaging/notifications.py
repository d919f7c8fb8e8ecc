"""The consumer `notifications`: writes to users about what happened to their accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from shop.application.messaging.idempotent_consumer import Handler
from shop.application.messaging.messages import Message
from shop.application.messaging.reader import NotReady
from shop.domain.events import Event, UserPasswordChanged
from shop.domain.values import EmailAddress, UserId


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is written to."""

    first_name: str
    email: EmailAddress


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to a user. One with the same `id` is the same message, sent again."""

    id: str
    to: Recipient
    subject: str
    text: str


class NotifierLost(NotReady):
    """The notifier does not answer, or accepts nothing now."""


class NotificationRefused(Exception):
    """The notifier will not deliver this message. The text has neither the address nor the message."""


class Notifier(Protocol):
    """Sends notifications."""

    async def send(self, notification: Notification) -> None:
        """Send a message. Raises `NotifierLost` or `NotificationRefused`."""
        ...


EVENTS: Final = (UserPasswordChanged,)
"""The events that users are written to about."""


class Recipients(Protocol):
    """What the handler reads, in the transaction of its inbox entry."""

    async def of_recent(self, user_id: UserId, occurred_at: datetime) -> Recipient | None:
        """Return how to write to a user about something that occurred at this time, None if it is too old, or the user is deleted."""
        ...


def notify_by(notifier: Notifier) -> Handler[Recipients]:
    """Return the handler that writes to users.

    It is called after the commit of the use case, which neither waits for it nor fails with it. If the process dies after the message was
    sent and before that was recorded, the message is sent again, with the same id.
    """

    async def handle(event: Event, message: Message, recipients: Recipients) -> None:
        if not isinstance(event, UserPasswordChanged):
            return
        recipient = await recipients.of_recent(event.user_id, message.occurred_at)
        if recipient is not None:
            await notifier.send(_password_changed(recipient, message))

    return handle


def _password_changed(recipient: Recipient, message: Message) -> Notification:
    moment = message.occurred_at.astimezone(UTC).strftime("%Y-%m-%d at %H:%M UTC")
    text = (
        f"Hello {recipient.first_name},\n\n"
        f"the password of your account was changed on {moment}, and all of its sessions were ended.\n\n"
        "If it was not you, ask us to reset it.\n"
    )
    return Notification(str(message.id), recipient, "Your password was changed", text)
