"""The consumer `notifications`: writes to users about what happened to their accounts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from shop.application.messaging.backoff import Backoff
from shop.application.messaging.idempotent_consumer import Handler
from shop.application.messaging.messages import Message
from shop.application.messaging.reader import NotReady
from shop.domain.events import Event, UserPasswordChanged, UserProfileUpdated
from shop.domain.values import EmailAddress, UserId


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to a user. One with the same `id` is the same message, sent again."""

    id: str
    to: EmailAddress
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A kind of message, and how many of them an address receives in a day.

    No address is verified. So it has no text that a user wrote, not even a name, and there is a limit: or everybody could have us send
    their own text, as often as they like, to anybody.
    """

    name: str
    a_day: int
    subject: str
    text: str

    def about(self, message: Message, to: EmailAddress) -> Notification:
        """Return the message about an event."""
        moment = message.occurred_at.astimezone(UTC).strftime("%Y-%m-%d at %H:%M UTC")
        return Notification(str(message.id), to, self.subject, self.text.format(moment=moment))


PASSWORD_CHANGED: Final = Notice(
    "password",
    5,
    "Your password was changed",
    "Hello,\n\n"
    "the password of your account was changed on {moment}, and all of its sessions were ended.\n\n"
    "If it was not you, ask us to reset it.\n",
)
ADDRESS_CHANGED: Final = Notice(
    "address",
    1,
    "Your e-mail address was changed",
    "Hello,\n\n"
    "the e-mail address of your account was changed on {moment}. We write to the previous one a last time.\n\n"
    "If it was not you, ask us to restore it.\n",
)


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


_log = logging.getLogger("shop.notifications")

# A consumer that is started for the first time receives all events of the stream.
_WORTH_KNOWING: Final = timedelta(days=1)

EVENTS: Final = (UserPasswordChanged, UserProfileUpdated)
"""The events of which users are notified."""


RETRIES: Final = Backoff(first=60.0, longest=600.0)
"""The waits after a message could not be sent: with five attempts, a quarter of an hour at most."""


class Recipients(Protocol):
    """What the handler reads, in the transaction of its inbox entry."""

    async def of_recent(self, user_id: UserId, occurred_at: datetime, within: timedelta) -> EmailAddress | None:
        """Return the address of a user to whom something occurred at this time, None if it is older, or the user deleted or erased."""
        ...

    async def of_former_address(self, user_id: UserId, occurred_at: datetime, within: timedelta) -> EmailAddress | None:
        """Return the address of a user that an update replaced at this time, None if it replaced none, or as above."""
        ...

    async def count(self, address: EmailAddress, notice: Notice) -> bool:
        """Count a notice to an address, and return whether it may be sent: False if the address had all of the day."""
        ...


def notify_by(notifier: Notifier) -> Handler[Recipients]:
    """Return the handler that writes to users.

    It is called after the commit of the use case, which neither waits for it nor fails with it. If the process dies after the message was
    sent and before that was recorded, the message is sent again, with the same id.

    While the notifier is lost, all messages wait. One that it postpones or refuses has failed, is tried again after `RETRIES`, and becomes
    a dead letter in the end. Others do not wait for it: a mailbox that accepts nothing must not delay what is written to anybody else.
    """

    async def handle(event: Event, message: Message, recipients: Recipients) -> None:
        match event:
            case UserPasswordChanged(user_id):
                find, notice = recipients.of_recent, PASSWORD_CHANGED
            case UserProfileUpdated(user_id):
                # To the address of before: who took the account over reads the new one.
                find, notice = recipients.of_former_address, ADDRESS_CHANGED
            case _:
                return
        address = await find(user_id, message.occurred_at, _WORTH_KNOWING)
        if address is None:
            return
        if not await recipients.count(address, notice):
            _log.warning("no notice about message %s: its recipient had %d of them today", message.id, notice.a_day)
            return
        await notifier.send(notice.about(message, address))

    return handle
