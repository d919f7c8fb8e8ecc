"""Notifications: what users are written, once, by a consumer that no use case waits for; and the mail server, which may be down."""

from __future__ import annotations

import asyncio
import email
import ipaddress
import logging
import ssl
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default as default_policy
from pathlib import Path
from typing import Any, get_args

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shop.application.context import Actor, Context
from shop.application.messaging.consumer import Verdict
from shop.application.messaging.idempotent_consumer import IdempotentConsumer
from shop.application.messaging.notifications import Notification, NotifierLost, Recipient, Recipients, notify_by
from shop.application.messaging.reader import MessageReader
from shop.bootstrap import Adapters, Settings, open_shop
from shop.domain.events import Event, UserDeleted, UserPasswordChanged, UserProfileUpdated, UserRegistered
from shop.domain.result import Ok
from shop.domain.users import NewUser, Profile
from shop.domain.values import EmailAddress, Password, PasswordHash, PersonName, UserId
from shop.infrastructure.postgres.messaging.inbox import PostgresInbox
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.transactions.recipients import PostgresRecipients
from shop.infrastructure.postgres.transactions.users import PostgresUserRepository
from shop.infrastructure.smtp import SmtpNotifier

from .events import message
from .memory.broker import MemoryBroker
from .ports import CheapHasher

# It logs what it receives.
logging.getLogger("mail.log").disabled = True

ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
NOTE = Notification("1", Recipient("Ada", ADA.email), "Hello", "Good day.\n")


@dataclass
class Mailbox:
    """What a mail server received, and what it answers."""

    answer: str = "250 OK"
    recipient_answer: str = "250 OK"
    mails: list[EmailMessage] = field(default_factory=list[EmailMessage])

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 aiosmtpd's name
        envelope.rcpt_tos.append(address)
        return self.recipient_answer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 as above
        if self.answer.startswith("250"):
            mail = email.message_from_bytes(envelope.content, policy=default_policy)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
        return self.answer


@asynccontextmanager
async def serving(mailbox: Mailbox, port: int = 0, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncGenerator[int]:
    sessions: list[SMTP] = []

    def session() -> SMTP:
        sessions.append(SMTP(mailbox, **options))
        return sessions[-1]

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # Of clients that did not like the certificate.
        for each in sessions:
            if each.transport is not None:
                each.transport.close()
        await asyncio.sleep(0)


def consumer(pool: Pool, url: str, attempts: int = 5) -> Callable[..., Awaitable[Verdict]]:
    handler = notify_by(SmtpNotifier(url, "shop@example.com"))
    inbox: PostgresInbox[Recipients] = PostgresInbox(pool, "notifications", PostgresRecipients)
    process = MessageReader(get_args(Event), inbox, IdempotentConsumer(inbox, handler), attempts=attempts)

    async def receive(event: Event, times: int = 1, age: timedelta = timedelta()) -> Verdict:
        # Messages about one event and time are one message.
        changes = {"id": uuid.uuid5(uuid.NAMESPACE_OID, f"{event} {age}"), "occurred_at": datetime.now(UTC) - age}
        return [await process(message(event).model_copy(update=changes)) for _ in range(times)][-1]

    return receive


async def registered(users: PostgresUserRepository) -> UserId:
    added = await users.add(NewUser(ADA, PasswordHash("$v2$00")))
    assert isinstance(added, Ok)
    return added.value.id


async def test_a_user_is_written_once_about_a_new_password_and_about_nothing_else(pool: Pool, pg_users: PostgresUserRepository) -> None:
    mailbox, ada = Mailbox(), await registered(pg_users)
    async with serving(mailbox) as port:
        receive = consumer(pool, f"smtp://127.0.0.1:{port}")
        for other in (UserRegistered(ada), UserProfileUpdated(ada), UserDeleted(ada), UserPasswordChanged(UserId(uuid.uuid4()))):
            assert await receive(other) is Verdict.HANDLED
        assert mailbox.mails == []
        assert await receive(UserPasswordChanged(ada), times=3) is Verdict.HANDLED
    [mail] = mailbox.mails
    assert (mail["From"], mail["To"], mail["Subject"]) == ("shop@example.com", "ada@example.org", "Your password was changed")
    assert mail.get_content().startswith("Hello Ada,\r\n\r\nthe password of your account was changed on 20")


async def test_nobody_is_written_about_something_old(pool: Pool, pg_users: PostgresUserRepository) -> None:
    # As by a consumer that is started for the first time, and receives all that the stream has.
    mailbox, ada = Mailbox(), await registered(pg_users)
    async with serving(mailbox) as port:
        receive = consumer(pool, f"smtp://127.0.0.1:{port}")
        assert await receive(UserPasswordChanged(ada), age=timedelta(days=2)) is Verdict.HANDLED
        assert await receive(UserPasswordChanged(ada), age=timedelta(hours=23)) is Verdict.HANDLED
    assert len(mailbox.mails) == 1


async def test_a_message_waits_for_a_mail_server_that_is_down_and_no_failure_is_counted(
    pool: Pool, pg_users: PostgresUserRepository
) -> None:
    mailbox, ada = Mailbox(), await registered(pg_users)
    async with serving(mailbox) as port:
        pass
    receive = consumer(pool, f"smtp://127.0.0.1:{port}", attempts=1)
    event = UserPasswordChanged(ada)
    assert await receive(event, times=2) is Verdict.NOT_NOW
    async with serving(mailbox, port):
        mailbox.answer = "451 try again"
        assert await receive(event, times=2) is Verdict.NOT_NOW
        mailbox.answer = "250 OK"
        assert await receive(event) is Verdict.HANDLED
    assert len(mailbox.mails) == 1


async def test_a_message_that_is_refused_is_a_dead_letter_without_the_address(pool: Pool, pg_users: PostgresUserRepository) -> None:
    mailbox, ada = Mailbox(recipient_answer="550 no such mailbox ada@example.org"), await registered(pg_users)
    async with serving(mailbox) as port:
        receive = consumer(pool, f"smtp://127.0.0.1:{port}", attempts=2)
        assert await receive(UserPasswordChanged(ada), times=2) is Verdict.DEAD
    async with pool.connection() as conn:
        found = await (await conn.execute("SELECT last_error FROM inbox WHERE dead_at IS NOT NULL")).fetchall()
    assert found == [("NotificationRefused: the SMTP server answers 550",)]


async def test_a_change_of_the_password_neither_waits_for_the_mail_server_nor_fails_with_it(database_url: str) -> None:
    context, mailbox = Context(Actor.system("test"), "pytest"), Mailbox()
    async with serving(mailbox) as port:
        settings = Settings.model_validate({"database_url": database_url, "smtp_url": f"smtp://127.0.0.1:{port}"})
        async with open_shop(settings, Adapters(passwords=CheapHasher(), broker=MemoryBroker())) as shop:
            user = await shop.users.register(context, ADA, Password("correct horse"))
            assert isinstance(user, Ok)
            mailbox.answer = "451 try again"
            assert await shop.users.change_password(context, user.value.id, "correct horse", Password("battery staple")) == Ok(None)
            assert mailbox.mails == []
            mailbox.answer = "250 OK"
            assert shop.relay is not None
            assert shop.consumers is not None
            await shop.relay.run_until_empty()
            for _ in range(3):
                await shop.consumers["notifications"].run_once()
    assert [mail["To"] for mail in mailbox.mails] == ["ada@example.org"]


def certified(folder: Path) -> ssl.SSLContext:
    """Return the TLS of a server, and write the certificate that its clients trust."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


# aiosmtpd warns of what it does itself, and leaves the socket of a client that went away to the garbage collector.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
async def test_a_login_is_sent_by_tls_to_a_server_that_is_trusted(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, mailbox = certified(tmp_path), Mailbox()

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> AuthResult:
        return AuthResult(success=(login.login, login.password) == (b"ada", b"s3cret@more"), handled=False)

    tls: dict[str, Any] = {"tls": context} if scheme == "smtps" else {"tls_context": context, "require_starttls": True}
    options: dict[str, Any] = {"auth_required": True, "auth_require_tls": scheme != "smtps", "authenticator": authenticate}

    async def send(password: str) -> None:
        async with serving(mailbox, **tls, **options) as port:
            await SmtpNotifier(f"{scheme}://ada:{password}@127.0.0.1:{port}", "shop@example.com").send(NOTE)

    with pytest.raises(NotifierLost):
        await send("s3cret%40more")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    await send("s3cret%40more")
    with pytest.raises(NotifierLost, match="answers 535"):
        await send("wrong")
    [mail] = mailbox.mails
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == ("<1@example.com>", "auto-generated")
