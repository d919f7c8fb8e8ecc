"""The consumer `notifications`: writes to users about what happened to their accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from shop.application.messaging.idempotent_consumer import Handler
from shop.application.messaging.messages import Message
from shop.application.messaging.reader import NotReady
from shop.domain.events import Event, UserPasswordChanged, UserProfileUpdated
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


class NotificationPostponed(Exception):
    """The notifier does not accept this message now, and may accept others. The text has neither the address nor the message."""


class NotificationRefused(Exception):
    """The notifier will not deliver this message. The text has neither the address nor the message."""


class Notifier(Protocol):
    """Sends notifications."""

    async def send(self, notification: Notification) -> None:
        """Send a message. Raises `NotifierLost`, `NotificationPostponed` or `NotificationRefused`."""
        ...


# A consumer that is started for the first time receives all events of the stream.
_WORTH_KNOWING: Final = timedelta(days=1)

EVENTS: Final = (UserPasswordChanged, UserProfileUpdated)
"""The events of which users are notified."""


class Recipients(Protocol):
    """What the handler reads, in the transaction of its inbox entry."""

    async def of_recent(self, user_id: UserId, occurred_at: datetime, within: timedelta) -> Recipient | None:
        """Return how to write to a user about something that occurred at this time, None if it is older, or the user deleted or erased."""
        ...

    async def of_former_address(self, user_id: UserId, occurred_at: datetime, within: timedelta) -> Recipient | None:
        """Return how to write to a user at the address that an update replaced at this time, None if it replaced none, or as above."""
        ...


def notify_by(notifier: Notifier, patience: timedelta = timedelta(minutes=5)) -> Handler[Recipients]:
    """Return the handler that writes to users.

    It is called after the commit of the use case, which neither waits for it nor fails with it. If the process dies after the message was
    sent and before that was recorded, the message is sent again, with the same id.

    While the notifier is lost, all messages wait. One that it postpones waits for `patience` after its event, since later ones wait for it;
    then each attempt is a failure, so that it becomes a dead letter, as one that is refused.
    """

    async def handle(event: Event, message: Message, recipients: Recipients) -> None:
        match event:
            case UserPasswordChanged(user_id):
                find, describe = recipients.of_recent, _password_changed
            case UserProfileUpdated(user_id):
                # To the address of before: who took the account over reads the new one.
                find, describe = recipients.of_former_address, _address_changed
            case _:
                return
        recipient = await find(user_id, message.occurred_at, _WORTH_KNOWING)
        if recipient is None:
            return
        try:
            await notifier.send(describe(recipient, message))
        except NotificationPostponed as postponed:
            if await find(user_id, message.occurred_at, patience) is not None:
                raise NotReady(str(postponed)) from None
            raise

    return handle


def _password_changed(recipient: Recipient, message: Message) -> Notification:
    text = (
        f"Hello {recipient.first_name},\n\n"
        f"the password of your account was changed on {_moment(message)}, and all of its sessions were ended.\n\n"
        "If it was not you, ask us to reset it.\n"
    )
    return Notification(str(message.id), recipient, "Your password was changed", text)


def _address_changed(recipient: Recipient, message: Message) -> Notification:
    text = (
        f"Hello {recipient.first_name},\n\n"
        f"the e-mail address of your account was changed on {_moment(message)}. We write to the previous one a last time.\n\n"
        "If it was not you, ask us to restore it.\n"
    )
    return Notification(str(message.id), recipient, "Your e-mail address was changed", text)


def _moment(message: Message) -> str:
    return message.occurred_at.astimezone(UTC).strftime("%Y-%m-%d at %H:%M UTC")
