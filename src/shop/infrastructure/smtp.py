"""`Notifier` over SMTP, by the standard library, in a worker thread."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from shop.application.messaging.notifications import Notification, NotificationRefused, NotifierLost

# Replies from here on are permanent (RFC 5321, 4.2.1).
_PERMANENT = 500


class SmtpNotifier:
    """Sends each message by a connection of its own. `url` was read by `smtp_url`."""

    def __init__(self, url: str, sender: str, answer_within: float = 10.0) -> None:
        parts = urlsplit(url)
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port or 0
        self._login = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
        self._sender = sender
        self._timeout = answer_within

    async def send(self, notification: Notification) -> None:
        """Send a message. Raises `NotifierLost` or `NotificationRefused`."""
        try:
            await asyncio.to_thread(self._send, self._message(notification))
        except smtplib.SMTPRecipientsRefused as refused:
            # The text of these errors quotes addresses.
            raise _error(*[code for code, _ in refused.recipients.values()]) from None
        except smtplib.SMTPResponseException as refused:
            raise _error(refused.smtp_code) from None
        except (smtplib.SMTPException, OSError) as lost:
            raise NotifierLost(f"the SMTP server does not answer: {type(lost).__name__}") from None

    def _message(self, notification: Notification) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = notification.to.email.text
        message["Subject"] = notification.subject
        message["Date"] = formatdate()
        # So that a message that is sent again is recognised.
        message["Message-ID"] = f"<{notification.id}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notification.text)
        return message

    def _send(self, message: EmailMessage) -> None:
        server = self._connection()
        # Not by `with`, which says goodbye after an error too, and waits for an answer.
        try:
            if self._scheme == "smtp+starttls":
                server.starttls(context=ssl.create_default_context())
            if self._login is not None:
                server.login(*self._login)
            server.send_message(message)
            # The message was accepted, whatever happens now.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
        finally:
            server.close()

    def _connection(self) -> smtplib.SMTP:
        if self._scheme == "smtps":
            return smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=ssl.create_default_context())
        return smtplib.SMTP(self._host, self._port, timeout=self._timeout)


def _error(*codes: int) -> NotifierLost | NotificationRefused:
    code = max(codes)
    # A refused login is no fault of the message.
    if code < _PERMANENT or code in {530, 534, 535}:
        return NotifierLost(f"the SMTP server answers {code}")
    return NotificationRefused(f"the SMTP server answers {code}")
