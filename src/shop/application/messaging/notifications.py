"""The consumer `notifications`: writes to users about what happened to their accounts."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, Protocol

from shop.application.messaging.backoff import Backoff
from shop.application.messaging.messages import Message
from shop.application.messaging.reader import HandlingRefused, Later, NotReady
from shop.domain.events import Event, UserPasswordChanged, UserProfileUpdated
from shop.domain.values import EmailAddress, UserId


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to a user. One with the same `id` is the same message, sent again."""

    id: str
    to: EmailAddress
    subject: str
    text: str


@dataclass(slots=True)
class Delivery:
    """An attempt to send a notification.

    `is_in_doubt` is false while the notifier has certainly not accepted the message: before the end of the content is sent, and after a
    definite refusal. Otherwise it may be sent, whatever ends the attempt: an error, a cancellation, or the process.
    """

    notification: Notification
    is_in_doubt: bool = False


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
    "An e-mail address was changed",
    "Hello,\n\n"
    # True for whoever reads it: another user may have the address by now.
    "on {moment}, an account that had this e-mail address was changed to another one. We write to this one a last time.\n\n"
    "If it is your account, and it was not you, ask us to restore it.\n",
)


class NotifierLost(NotReady):
    """The notifier does not answer, or accepts nothing now."""


class NotificationPostponed(HandlingRefused):
    """The notifier has not accepted this message, and may accept others. The text has neither the address nor the message."""


class NotificationRefused(HandlingRefused):
    """The notifier will not deliver this message. The text has neither the address nor the message."""


class NotificationOutcomeUnknown(HandlingRefused):
    """The notifier received this message, and did not answer: it may be delivered. The text has neither the address nor the message."""


class Notifier(Protocol):
    """Sends notifications."""

    async def send(self, delivery: Delivery) -> None:
        """Send a message. Raises `NotifierLost`, `NotificationPostponed`, `NotificationRefused` or `NotificationOutcomeUnknown`.

        Also if it is cancelled, `is_in_doubt` of the delivery then says whether the message may have been accepted.
        """
        ...


_log = logging.getLogger("shop.notifications")

# A consumer that is started for the first time receives all events of the stream.
_WORTH_KNOWING: Final = timedelta(days=1)

EVENTS: Final = (UserPasswordChanged, UserProfileUpdated)
"""The events of which users are notified."""


AT_ONCE: Final = 40
"""How many messages are sent at the same time: fewer than the connections that mail servers accept from one client."""

TO_A_DOMAIN: Final = 8
"""How many of these go to one domain."""

RETRIES: Final = Backoff(first=60.0, longest=600.0)
"""The waits after a message could not be sent: with five attempts, a quarter of an hour at most."""


class Counted(Enum):
    """Whether the notice of a message counts as one of the day."""

    NOW = "now"
    BEFORE = "before"
    NOT_YET = "not yet"
    """As many others as are allowed count, and one of them may still be taken back: its message is neither handled nor a dead letter."""
    REFUSED = "refused"
    """As many others as are allowed count, for good."""


class Recipients(Protocol):
    """What the handler reads and counts, in a transaction of its inbox."""

    async def of_recent(self, user_id: UserId, occurred_at: datetime, within: timedelta) -> EmailAddress | None:
        """Return the address of a user to whom something occurred at this time, None if it is older, or the user deleted or erased."""
        ...

    async def of_former_address(self, user_id: UserId, occurred_at: datetime, within: timedelta) -> EmailAddress | None:
        """Return the address of a user that an update replaced at this time, None if it replaced none, or as above."""
        ...

    async def count(self, address: EmailAddress, notice: Notice, message_id: uuid.UUID) -> Counted:
        """Count the notice of a message to an address, unless it is counted, or as many others are as are allowed in a day."""
        ...

    async def take_back(self, address: EmailAddress, notice: Notice, message_id: uuid.UUID) -> None:
        """Take back the count of a notice that was certainly not sent."""
        ...


@dataclass(frozen=True, slots=True)
class PreparedNotice:
    """A notice that was counted, now or by an attempt before, and is to be sent."""

    message_id: uuid.UUID
    notice: Notice
    delivery: Delivery
    was_counted: bool


class Notices:
    """Writes to users: an `OutsideEffect`.

    It is called after the commit of the use case, which neither waits for it nor fails with it. If the process dies after the message was
    sent and before that was recorded, the message is sent again, with the same id.

    While the notifier is lost, all messages wait. One that it postpones or refuses has failed, is tried again after `RETRIES`, and becomes
    a dead letter in the end. Others do not wait for it: a mailbox that accepts nothing must not delay what is written to anybody else.
    Nor must slow ones: at most `to_a_domain` messages are sent to a domain at the same time, and others to it are for later.

    A notice counts as one of the day unless it was certainly not sent, by none of its attempts. What became of one that left the count is
    not known: its process died, or the notifier did not answer. One that meets the limit waits until all that count are settled, since
    they may be the notices of another user, who had the address before, and may not be sent in the end. The wait ends with their attempts,
    with the day, or when the event of the one that waits is older than a day.
    """

    def __init__(self, notifier: Notifier, *, to_a_domain: int = TO_A_DOMAIN) -> None:
        self._notifier = notifier
        self._to_a_domain = to_a_domain
        self._sending = Counter[str]()

    async def prepare(self, event: Event, message: Message, effects: Recipients) -> PreparedNotice | None:
        """Return the notice about an event, None if nobody is to be sent one. Raises `Later`."""
        match event:
            case UserPasswordChanged(user_id):
                find, notice = effects.of_recent, PASSWORD_CHANGED
            case UserProfileUpdated(user_id):
                # To the address of before: who took the account over reads the new one.
                find, notice = effects.of_former_address, ADDRESS_CHANGED
            case _:
                return None
        address = await find(user_id, message.occurred_at, _WORTH_KNOWING)
        if address is None:
            return None
        # Before it is counted, which would be for nothing.
        self._require_turn(_domain(address))
        counted = await effects.count(address, notice, message.id)
        if counted is Counted.NOT_YET:
            raise Later("the limit of notices to its recipient is reached, and not all of them are settled")
        if counted is Counted.REFUSED:
            _log.warning("no notice about message %s: its recipient had %d of them today", message.id, notice.a_day)
            return None
        return PreparedNotice(message.id, notice, Delivery(notice.about(message, address)), counted is Counted.BEFORE)

    async def carry_out(self, prepared: PreparedNotice) -> None:
        """Send a notice. Raises `Later`, or what the notifier raises."""
        domain = _domain(prepared.delivery.notification.to)
        # Again: others were prepared at the same time.
        self._require_turn(domain)
        self._sending[domain] += 1
        try:
            await self._notifier.send(prepared.delivery)
        finally:
            self._sending[domain] -= 1
            if not self._sending[domain]:
                del self._sending[domain]

    async def take_back(self, prepared: PreparedNotice, effects: Recipients) -> None:
        """Do not count a notice that was certainly not sent, by this attempt nor by one before."""
        if not prepared.was_counted and not prepared.delivery.is_in_doubt:
            await effects.take_back(prepared.delivery.notification.to, prepared.notice, prepared.message_id)

    def _require_turn(self, domain: str) -> None:
        if self._sending[domain] >= self._to_a_domain:
            raise Later(f"{self._to_a_domain} messages are being sent to its domain")


def _domain(address: EmailAddress) -> str:
    # With its subdomains, of which whoever has one has any number.
    return ".".join(address.text.lower().rpartition("@")[2].split(".")[-2:])
