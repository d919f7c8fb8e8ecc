"""`Notifier` over SMTP, by the standard library, in a worker thread."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Final
from urllib.parse import unquote, urlsplit

from shop.application.messaging.notifications import Notification, NotificationPostponed, NotificationRefused, NotifierLost

# For all commands of a message: less than the database waits for a transaction.
_WITHIN: Final = 20.0
_OK: Final = 250
_FORWARDED: Final = 251
# Replies from here on are permanent (RFC 5321, 4.2.1), except those that want another login (RFC 4954, 6): no fault of the message.
_PERMANENT: Final = 500
_OF_THE_LOGIN: Final = frozenset({530, 534, 535, 538})
# Of seven bits, which every server takes.
_POLICY: Final = SMTP.clone(cte_type="7bit")


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
        """Send a message to its address alone. Raises `NotifierLost`, `NotificationPostponed` or `NotificationRefused`."""
        try:
            async with asyncio.timeout(_WITHIN):
                await asyncio.to_thread(self._send, notification.to.text, self._content(notification))
        except TimeoutError:
            raise NotificationPostponed(f"the SMTP server takes longer than {_WITHIN:g} s") from None

    def _content(self, notification: Notification) -> bytes:
        message = EmailMessage(_POLICY)
        message["From"] = self._sender
        message["Subject"] = notification.subject
        message["Date"] = formatdate()
        # So that a message that is sent again is recognised.
        message["Message-ID"] = f"<{notification.id}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notification.text)
        # Not by the class, which would decode `=?utf-8?q?…?=`: in an address that is no encoded word, but its text (RFC 2047, 5).
        return f"To: {notification.to}\r\n".encode("ascii") + message.as_bytes()

    def _send(self, address: str, content: bytes) -> None:
        server = self._opened()
        # Not by `with`, which says goodbye after an error too, and waits for an answer.
        try:
            _transfer(server, address, content)
            # The message was accepted, whatever happens now.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
        finally:
            server.close()

    def _opened(self) -> smtplib.SMTP:
        """Connect, log in, and name the sender: what fails here fails for every message."""
        server: smtplib.SMTP | None = None
        try:
            server = self._connection()
            if self._scheme == "smtp+starttls":
                server.starttls(context=ssl.create_default_context())
            if self._login is not None:
                server.login(*self._login)
            server.ehlo_or_helo_if_needed()
            _require(server.docmd("MAIL", f"FROM:<{self._sender}>"), _OK)
        # UnicodeError: of a login that is not ASCII.
        except (smtplib.SMTPException, OSError, UnicodeError) as lost:
            if server is not None:
                server.close()
            raise NotifierLost(_reason(lost)) from None
        return server

    def _connection(self) -> smtplib.SMTP:
        if self._scheme == "smtps":
            return smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=ssl.create_default_context())
        return smtplib.SMTP(self._host, self._port, timeout=self._timeout)


def _transfer(server: smtplib.SMTP, address: str, content: bytes) -> None:
    try:
        # Not by smtplib's sendmail(), which parses the address.
        _require(server.docmd("RCPT", f"TO:<{address}>"), _OK, _FORWARDED)
        _require(server.data(content), _OK)
    except smtplib.SMTPResponseException as refused:
        if refused.smtp_code < _PERMANENT or refused.smtp_code in _OF_THE_LOGIN:
            raise NotificationPostponed(_reason(refused)) from None
        raise NotificationRefused(_reason(refused)) from None
    except (smtplib.SMTPException, OSError) as lost:
        # Perhaps because of this message.
        raise NotificationPostponed(_reason(lost)) from None


def _require(reply: tuple[int, bytes], *codes: int) -> None:
    if reply[0] not in codes:
        raise smtplib.SMTPResponseException(*reply)


def _reason(error: Exception) -> str:
    # Not their texts, which quote addresses.
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the SMTP server answers {error.smtp_code}"
    return f"the SMTP server does not answer: {type(error).__name__}"
