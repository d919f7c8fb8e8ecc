"""`Notifier` over SMTP, by aiosmtplib."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate
from functools import cached_property
from typing import Final
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP, SMTPException, SMTPHeloError, SMTPResponse, SMTPResponseException, SMTPServerDisconnected

from shop.application.messaging.notifications import (
    Delivery,
    Notification,
    NotificationOutcomeUnknown,
    NotificationPostponed,
    NotificationRefused,
    NotifierLost,
)

_OK: Final = 250
_FORWARDED: Final = 251
_START_INPUT: Final = 354
# What is no reply of a refusal, such as one that cannot be read, refuses nothing.
_REFUSALS: Final = range(400, 600)
# Replies from here on are permanent (RFC 5321, 4.2.1), except those that want another login (RFC 4954, 6): no fault of the message.
_PERMANENT: Final = 500
_OF_THE_LOGIN: Final = frozenset({530, 534, 535, 538})
_LEADING_DOT: Final = re.compile(rb"^\.", re.MULTILINE)
# Of seven bits, which every server takes.
_POLICY: Final = SMTP_POLICY.clone(cte_type="7bit")


class SmtpNotifier:
    """Sends each message by a connection of its own. `url` was read by `smtp_url`.

    A message has `within` seconds, however many answers and lines of answers arrive in them, and `opened_within` of these for what is the
    same for every message. Then, or if it is cancelled, its connection is closed at once.
    """

    def __init__(self, url: str, sender: str, *, opened_within: float = 10.0, within: float = 20.0) -> None:
        parts = urlsplit(url)
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port or 0
        self._login = (None, None) if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
        self._sender = sender
        self._opened_within = opened_within
        self._within = within
        self._own_name: str | None = None

    async def send(self, delivery: Delivery) -> None:
        """Send a message to its address alone.

        Raises `NotifierLost`, `NotificationPostponed`, `NotificationRefused` or `NotificationOutcomeUnknown`.
        """
        deadline = asyncio.get_running_loop().time() + self._within
        if self._own_name is None:
            self._own_name = await self._named()
        username, password = self._login
        client = SMTP(
            hostname=self._host,
            port=self._port,
            username=username,
            password=password,
            local_hostname=self._own_name,
            # Not by its timeout, which is that of each answer.
            timeout=None,
            use_tls=self._scheme == "smtps",
            start_tls=self._scheme == "smtp+starttls",
            tls_context=None if self._scheme == "smtp" else self._tls,
        )
        try:
            await self._open(client)
            await _transfer(client, delivery, self._content(delivery.notification), deadline)
            # The message was accepted, whatever the answer is, and so nothing waits for it.
            if isinstance(client.transport, asyncio.WriteTransport):
                client.transport.write(b"QUIT\r\n")
                client.transport.close()
        finally:
            # After an error there is no goodbye.
            if isinstance(client.transport, asyncio.WriteTransport) and not client.transport.is_closing():
                client.transport.abort()
            client.close()

    async def _named(self) -> str:
        try:
            async with asyncio.timeout(self._opened_within):
                return await asyncio.to_thread(_own_name)
        except TimeoutError:
            raise NotifierLost("the name of this host is not resolved in time") from None

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

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

    async def _open(self, client: SMTP) -> None:
        """Connect, log in, and name the sender: what fails here fails for every message."""
        try:
            async with asyncio.timeout(self._opened_within):
                await client.connect()
                if client.is_ehlo_or_helo_needed:
                    try:
                        await client.ehlo()
                    except SMTPHeloError:
                        await client.helo()
                # Not by its mail(), which parses the address.
                await _command(client, f"MAIL FROM:<{self._sender}>", _OK)
        except (SMTPException, OSError) as lost:
            raise NotifierLost(_reason(lost)) from None


async def _transfer(client: SMTP, delivery: Delivery, content: bytes, deadline: float) -> None:
    try:
        async with asyncio.timeout_at(deadline):
            # Not by its rcpt(), as above.
            await _command(client, f"RCPT TO:<{delivery.notification.to}>", _OK, _FORWARDED)
            # Not by its data(), which does not say how far it got.
            await _command(client, "DATA", _START_INPUT)
            if client.protocol is None or not client.is_connected:
                raise SMTPServerDisconnected("Connection lost")
            # Once the end of the content is written, the server may have it, and accept the message whether or not its answer arrives.
            delivery.is_in_doubt = True
            client.protocol.write(_LEADING_DOT.sub(b"..", content) + b".\r\n")
            _require(await client.protocol.read_response(), _OK)
    except SMTPResponseException as refused:
        if delivery.is_in_doubt and refused.code not in _REFUSALS:
            raise NotificationOutcomeUnknown(f"{_reason(refused)}, and may have accepted the message") from None
        delivery.is_in_doubt = False
        if refused.code < _PERMANENT or refused.code in _OF_THE_LOGIN:
            raise NotificationPostponed(_reason(refused)) from None
        raise NotificationRefused(_reason(refused)) from None
    except (SMTPException, OSError) as lost:
        if delivery.is_in_doubt:
            raise NotificationOutcomeUnknown(f"{_reason(lost)}, and may have accepted the message") from None
        # Perhaps because of this message.
        raise NotificationPostponed(_reason(lost)) from None


async def _command(client: SMTP, command: str, *codes: int) -> None:
    _require(await client.execute_command(command.encode("ascii")), *codes)


def _require(reply: SMTPResponse, *codes: int) -> None:
    if reply.code not in codes:
        raise SMTPResponseException(reply.code, reply.message)


def _own_name() -> str:
    # Servers refuse a name without a domain, and accept the literal of an address (RFC 5321, 4.1.4).
    name = socket.getfqdn()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def _reason(error: Exception) -> str:
    # Not their texts, which quote addresses.
    if isinstance(error, SMTPResponseException):
        return f"the SMTP server answers {error.code}" if error.code > 0 else "the SMTP server's answer cannot be read"
    return f"the SMTP server does not answer: {type(error).__name__}"
