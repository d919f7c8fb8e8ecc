"""Notifications: what users are written, once, by a consumer that no use case waits for; and the mail server, which may be down."""

from __future__ import annotations

import asyncio
import email
import ipaddress
import logging
import re
import socket
import ssl
import threading
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default as default_policy
from pathlib import Path
from typing import Any, LiteralString, get_args

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from shop.application.commands.users import TooManyAddressChanges, UserCommands
from shop.application.context import Actor, Context
from shop.application.messaging import claiming_consumer, notifications
from shop.application.messaging.backoff import Backoff, wait_unless
from shop.application.messaging.claiming_consumer import ClaimingConsumer
from shop.application.messaging.consumer import Failed, Verdict
from shop.application.messaging.interest import partition_of
from shop.application.messaging.messages import Message, read_message
from shop.application.messaging.notifications import (
    TO_A_DOMAIN,
    Delivery,
    Notices,
    Notification,
    NotificationPostponed,
    NotifierLost,
    PreparedNotice,
    Recipients,
)
from shop.application.messaging.reader import Later, MessageReader
from shop.application.transactions.runner import Transactions
from shop.bootstrap.service import Adapters, open_shop
from shop.bootstrap.settings import Settings
from shop.domain.events import Event, UserDeleted, UserPasswordChanged, UserProfileUpdated, UserRegistered
from shop.domain.result import Err, Ok, Result
from shop.domain.users import NewUser, Profile, Role, User
from shop.domain.values import EmailAddress, Password, PasswordHash, PersonName, UserId
from shop.infrastructure.nats.broker import NatsBroker, open_broker
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.messaging.inbox import PostgresInbox
from shop.infrastructure.postgres.pool import Pool, PoolOptions, open_pool
from shop.infrastructure.postgres.transactions.recipients import PostgresRecipients
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work
from shop.infrastructure.postgres.transactions.users import PostgresUserRepository
from shop.infrastructure.smtp import SmtpNotifier
from shop.local_servers import LocalServer

from .events import message
from .memory.broker import MemoryBroker
from .ports import CheapHasher

# It logs what it receives.
logging.getLogger("mail.log").disabled = True

ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
CONTEXT = Context(Actor.system("test"), "pytest")
NOTE = Notification("1", ADA.email, "Hello", "Good day.\n")


@dataclass
class Mailbox:
    """What a mail server received, and what it answers."""

    answer: str = "250 OK"
    recipient_answer: str = "250 OK"
    refused: str | None = None
    """The recipient who is answered so; by default all."""
    sender_answer: str = "250 OK"
    content_answer: str | None = None
    """What it answers after the end of the content, which it has accepted by then; "nothing" if it does not answer."""
    slow: re.Pattern[str] | None = None
    """The recipients about whom it says again and again that the answer follows, until `answering` is set."""
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    held: set[str] = field(default_factory=set[str])
    """The slow recipients whose clients wait for an answer."""
    mails: list[EmailMessage] = field(default_factory=list[EmailMessage])

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 aiosmtpd's name
        envelope.mail_from = address
        return self.sender_answer

    async def handle_RCPT(self, server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 as above
        envelope.rcpt_tos.append(address)
        if self.slow is not None and self.slow.match(address):
            self.held.add(address)
            try:
                while not self.answering.is_set():
                    await server.push("250-wait")
                    await wait_unless(self.answering, 0.02)
            finally:
                self.held.remove(address)
        if self.refused not in {None, address}:
            return "250 OK"
        if self.recipient_answer == "disconnect":
            server.transport.close()
        return self.recipient_answer

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 as above
        if "disconnect" in {self.answer, self.content_answer}:
            server.transport.close()
        if self.answer.startswith("250") or self.content_answer is not None:
            mail = email.message_from_bytes(envelope.content, policy=default_policy)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
        if self.content_answer == "nothing":
            await asyncio.Event().wait()
        return self.content_answer or self.answer


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
        # Of clients that did not like the certificate, or went away without waiting for the answer to their goodbye: the server closes
        # no TLS of a connection that is gone. The first turn of the loop begins connections, and the others end them.
        for _ in range(4):
            await asyncio.sleep(0)
            for each in sessions:
                if isinstance(each.transport, asyncio.WriteTransport):
                    each.transport.abort()
        for each in sessions:
            if writer := vars(each).get("_writer"):
                writer.close()


def by_mail(pool: Pool, url: str, within: float = 20.0) -> ClaimingConsumer[Recipients, PreparedNotice]:
    inbox: PostgresInbox[Recipients] = PostgresInbox(pool, "notifications", PostgresRecipients)
    return ClaimingConsumer(inbox, Notices(SmtpNotifier(url, "shop@example.com", within=within)))


def consumer(pool: Pool, url: str, attempts: int = 5, within: float = 20.0) -> Callable[..., Coroutine[Any, Any, Verdict | Failed]]:
    inbox: PostgresInbox[Recipients] = PostgresInbox(pool, "notifications", PostgresRecipients)
    process = MessageReader(get_args(Event), inbox, by_mail(pool, url, within), attempts=attempts)

    async def receive(event: Event, times: int = 1, age: timedelta = timedelta()) -> Verdict | Failed:
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
    assert mail.get_content().startswith("Hello,\r\n\r\nthe password of your account was changed on 20")


async def test_a_change_of_the_address_is_reported_to_the_previous_one(pool: Pool, conn: Connection) -> None:
    users, mailbox = UserCommands(Transactions(units_of_work(pool)), CheapHasher()), Mailbox()
    added = await users.register(CONTEXT, ADA, Password("correct horse"))
    assert isinstance(added, Ok)
    ada, moved = added.value.id, replace(ADA, email=EmailAddress("thief@example.org"))
    for profile in (replace(ADA, name=PersonName("Adah", "Lovelace")), moved, replace(moved, email=EmailAddress("THIEF@example.org"))):
        assert isinstance(await users.update_profile(CONTEXT, ada, profile), Ok)
    cur = await conn.execute("SELECT occurred_at FROM outbox WHERE event_type = 'UserProfileUpdated' ORDER BY position")
    times = [moment for (moment,) in await cur.fetchall()]
    assert len(times) == 3
    async with serving(mailbox) as port:
        process = by_mail(pool, f"smtp://127.0.0.1:{port}")
        for moment in [*times, *times]:
            # Redelivered, and with its time as it is in a message.
            changes = {"id": uuid.uuid5(uuid.NAMESPACE_OID, str(moment)), "occurred_at": moment}
            sent = message(UserProfileUpdated(ada)).model_copy(update=changes).model_dump_json()
            assert await process(UserProfileUpdated(ada), read_message(sent.encode())) is Verdict.HANDLED
    [mail] = mailbox.mails
    assert (mail["To"], mail["Subject"]) == ("ada@example.org", "An e-mail address was changed")
    assert mail.get_content().startswith("Hello,\r\n\r\non 20")
    assert "thief" not in mail.get_content()


async def test_an_address_receives_one_notice_a_day_whoever_leaves_it_and_no_text_of_a_user(pool: Pool, conn: Connection) -> None:
    users, mailbox = UserCommands(Transactions(units_of_work(pool)), CheapHasher()), Mailbox()
    bait = replace(ADA, name=PersonName("Your prize waits at https://evil.example", "Lovelace"))
    async with serving(mailbox) as port:
        process = by_mail(pool, f"smtp://127.0.0.1:{port}")
        # Each time by a new account, of which nothing is left.
        for number in range(3):
            added = await users.register(CONTEXT, bait, Password("correct horse"))
            assert isinstance(added, Ok)
            user_id = added.value.id
            elsewhere = replace(bait, email=EmailAddress(f"sink{number}@example.net"))
            for profile in (elsewhere, replace(bait, email=EmailAddress("ADA@example.org")), replace(elsewhere)):
                assert isinstance(await users.update_profile(CONTEXT, user_id, profile), Ok)
            cur = await conn.execute("SELECT message_id, occurred_at FROM outbox WHERE event_type = 'UserProfileUpdated' ORDER BY position")
            for message_id, moment in await cur.fetchall():
                changes = {"id": message_id, "occurred_at": moment}
                assert (
                    await process(UserProfileUpdated(user_id), message(UserProfileUpdated(user_id)).model_copy(update=changes))
                    is Verdict.HANDLED
                )
            await users.delete(CONTEXT, user_id)
    assert [mail["To"] for mail in mailbox.mails] == ["ada@example.org", "sink0@example.net", "sink1@example.net", "sink2@example.net"]
    assert not any("prize" in mail.as_string() for mail in mailbox.mails)


async def test_an_address_receives_five_notices_a_day_about_its_password(pool: Pool, pg_users: PostgresUserRepository) -> None:
    mailbox, ada = Mailbox(), await registered(pg_users)
    async with serving(mailbox) as port:
        receive = consumer(pool, f"smtp://127.0.0.1:{port}")
        for minutes in range(7):
            assert await receive(UserPasswordChanged(ada), age=timedelta(minutes=minutes)) is Verdict.HANDLED
        assert len(mailbox.mails) == 5
        async with pool.connection() as conn:
            await conn.execute("UPDATE notices SET day = day - 1")
        assert await receive(UserPasswordChanged(ada), age=timedelta(minutes=8)) is Verdict.HANDLED
    assert len(mailbox.mails) == 6


async def test_a_user_changes_the_address_five_times_a_day(pool: Pool, conn: Connection) -> None:
    users = UserCommands(Transactions(units_of_work(pool)), CheapHasher())
    added = await users.register(CONTEXT, ADA, Password("correct horse"))
    assert isinstance(added, Ok)

    own = Context(Actor.user(added.value.id), "pytest")

    async def move(address: str, context: Context = own) -> Result[User, object]:
        return await users.update_profile(context, added.value.id, replace(ADA, email=EmailAddress(address)))

    # Those by others neither count nor are refused.
    for number in range(7):
        assert isinstance(await move(f"restored{number}@example.org", CONTEXT), Ok)
    for number in range(5):
        assert isinstance(await move(f"ada{number}@example.org"), Ok)
    refused = await move("ada@example.org")
    assert isinstance(refused, Err)
    assert isinstance(refused.error, TooManyAddressChanges)
    assert 0 < refused.error.retry_after <= 86_400
    assert isinstance(await move("restored@example.org", CONTEXT), Ok)
    again = await move("ada@example.org")
    assert isinstance(again, Err)
    assert isinstance(again.error, TooManyAddressChanges)
    assert isinstance(await move("ada4@example.org", Context(Actor.user(UserId(uuid.uuid4()), Role.ADMIN), "pytest")), Ok)
    # Another case is no other address.
    assert isinstance(await move("ADA4@example.org"), Ok)
    await conn.execute("UPDATE former_addresses SET replaced_at = replaced_at - interval '1 day'")
    assert isinstance(await move("ada@example.org"), Ok)


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
            await SmtpNotifier(f"{scheme}://ada:{password}@127.0.0.1:{port}", "shop@example.com").send(Delivery(NOTE))

    with pytest.raises(NotifierLost):
        await send("s3cret%40more")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    await send("s3cret%40more")
    with pytest.raises(NotifierLost, match="answers 535"):
        await send("wrong")
    [mail] = mailbox.mails
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == ("<1@example.com>", "auto-generated")


# --- Addresses of any form ------------------------------------------------------------------------------------------------

_ATOM = "abcXYZ019!#$%&'*+/=?^_`{|}~-"
_ENCODED_WORD = st.tuples(st.sampled_from("qQbB"), st.text("abXY=0123456789ABCDEF_", max_size=12)).map("=?utf-8?{0[0]}?{0[1]}?=".format)
_LOCAL_PARTS = st.lists(st.text(_ATOM, min_size=1, max_size=12) | _ENCODED_WORD, min_size=1, max_size=3).map(".".join)
ADDRESSES = st.tuples(_LOCAL_PARTS, st.sampled_from(["x.org", "a-b.example.com", "1.2"])).map("@".join)


@settings(max_examples=60, deadline=None)
@given(ADDRESSES.filter(lambda text: isinstance(EmailAddress.parse(text), Ok)))
@example("=?utf-8?q?=C3=A9?=@x.org")
@example("=?utf-8?q?victim=40evil.org?=@x.org")
@example("=?utf-8?q?a=0D=0ABcc=3Ax=40evil.org?=@x.org")
@example("=?utf-8?b?dmljdGltQGV2aWwub3Jn?=@x.org")
async def test_a_mail_goes_to_the_stored_address_alone_whatever_that_is(address: str) -> None:
    commands, content, ended = list[bytes](), list[bytes](), asyncio.Event()

    # Not by aiosmtpd, which decodes addresses, too.
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while (line := await reader.readline()) not in {b"QUIT\r\n", b""}:
            commands.append(line)
            writer.write(b"354 go on\r\n" if line == b"DATA\r\n" else b"250 OK\r\n")
            if line == b"DATA\r\n":
                content.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 OK\r\n")
        writer.close()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        note = replace(NOTE, to=EmailAddress(address), text="Hello Zoë")
        await SmtpNotifier(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}", "shop@example.com").send(Delivery(note))
        # The client does not wait for the answer to its goodbye.
        await ended.wait()
    assert commands[1:] == [b"MAIL FROM:<shop@example.com>\r\n", f"RCPT TO:<{address}>\r\n".encode(), b"DATA\r\n"]
    head, _, body = content[0].partition(b"\r\n\r\n")
    assert [line for line in head.split(b"\r\n") if line[:3].lower() in {b"to:", b"cc:", b"bcc"}] == [f"To: {address}".encode()]
    assert content[0].isascii()
    assert body


async def test_lines_that_begin_with_a_dot_arrive_as_they_are() -> None:
    mailbox, text = Mailbox(), "Good day\r\n.\r\n..\r\n.RCPT\r\n"
    async with serving(mailbox) as port:
        await SmtpNotifier(f"smtp://127.0.0.1:{port}", "shop@example.com").send(Delivery(replace(NOTE, text=text)))
    assert [mail.get_content() for mail in mailbox.mails] == [text]


async def test_a_mail_that_cannot_be_sent_does_not_keep_others_from_being_sent(
    pool: Pool, pg_users: PostgresUserRepository, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox, ada = Mailbox(), await registered(pg_users)
    answers = ["550 no such user", "450 try again", "421 closing", "530 log in first", "disconnect"]
    async with serving(mailbox) as port:
        receive = consumer(pool, f"smtp://127.0.0.1:{port}", attempts=2)
        for number, answer in enumerate(answers):
            age = timedelta(minutes=10, seconds=number)
            mailbox.recipient_answer = answer
            assert await receive(UserPasswordChanged(ada), age=age) == Failed(1)
            assert await receive(UserPasswordChanged(ada), age=age) is Verdict.DEAD
            mailbox.recipient_answer, mailbox.answer = "250 OK", answer
            assert await receive(UserPasswordChanged(ada), times=2, age=age + timedelta(hours=1)) is Verdict.DEAD
            mailbox.answer = "250 OK"
            if answer == "disconnect":
                # After the content, so it counts: it may have been sent.
                async with pool.connection() as conn:
                    await conn.execute("UPDATE notices SET day = day - 1")
            assert await receive(UserPasswordChanged(ada), age=timedelta(hours=3, seconds=number)) is Verdict.HANDLED
    assert len(mailbox.mails) == len(answers)
    # What any user can cause has no traceback.
    failed = [record for record in caplog.records if "failed" in record.message]
    assert len(failed) == 4 * len(answers)
    assert not any(record.exc_info for record in failed)


@pytest.mark.parametrize("answer", ["450 try again", "550 no such user"])
async def test_a_mailbox_that_accepts_nothing_delays_no_notice_to_others(database_url: str, nats_broker: NatsBroker, answer: str) -> None:
    mailbox = Mailbox(refused="attacker@example.net", recipient_answer=answer)
    async with serving(mailbox) as port:
        settings = Settings.model_validate({"database_url": database_url, "smtp_url": f"smtp://127.0.0.1:{port}"})
        async with open_shop(settings, Adapters(passwords=CheapHasher(), broker=nats_broker)) as shop:
            assert shop.relay is not None
            assert shop.consumers is not None
            partitions = dict[int, UserId]()
            for number in range(100):
                # Before the address changes, so that both notices are in one partition.
                profile = replace(ADA, email=EmailAddress(f"ada{number}@example.org"))
                user = await shop.users.register(CONTEXT, profile, Password("correct horse"))
                assert isinstance(user, Ok)
                ada = user.value.id
                attacker = partitions.setdefault(partition_of(f"user:{ada}"), ada)
                if attacker != ada:
                    break
            else:
                raise AssertionError
            for each, address in ((attacker, "attacker@example.net"), (ada, "ada@example.org")):
                changed = await shop.users.update_profile(CONTEXT, each, replace(ADA, email=EmailAddress(address)))
                assert isinstance(changed, Ok)
                assert await shop.users.change_password(CONTEXT, each, "correct horse", Password("battery staple")) == Ok(None)
            await shop.relay.run_until_empty()
            # Registration, and the change of an address that accepts mail; then the attacker's password, and twice ada's.
            for _ in range(8):
                await shop.consumers["notifications"].run_once()
    assert [mail["Subject"] for mail in mailbox.mails if mail["To"] == "ada@example.org"] == ["Your password was changed"]


async def test_a_message_waits_for_a_server_that_does_not_accept_the_sender(pool: Pool, pg_users: PostgresUserRepository) -> None:
    mailbox, ada = Mailbox(sender_answer="550 go away"), await registered(pg_users)
    async with serving(mailbox) as port:
        receive = consumer(pool, f"smtp://127.0.0.1:{port}", attempts=1)
        assert await receive(UserPasswordChanged(ada), times=2, age=timedelta(hours=1)) is Verdict.NOT_NOW
        mailbox.sender_answer = "250 OK"
        assert await receive(UserPasswordChanged(ada), age=timedelta(hours=1)) is Verdict.HANDLED


async def test_nobody_is_written_whose_personal_data_were_erased(pool: Pool, pg_users: PostgresUserRepository) -> None:
    mailbox, ada = Mailbox(), await registered(pg_users)
    user = await pg_users.get(ada)
    assert isinstance(user, Ok)
    assert isinstance(await pg_users.erase(user.value), Ok)
    async with serving(mailbox) as port:
        assert await consumer(pool, f"smtp://127.0.0.1:{port}", attempts=1)(UserPasswordChanged(ada)) is Verdict.HANDLED
    assert mailbox.mails == []


# --- Slow recipients ------------------------------------------------------------------------------------------------------

SLOW = re.compile("slow")


async def until(is_reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_reached():  # noqa: ASYNC110 what the server and the database show sets no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("domain", "held"), [("slow.example", TO_A_DOMAIN), ("slow{}.example", 20)])
async def test_slow_recipients_delay_no_other_and_no_stop_and_hold_no_connection(
    database_url: str, nats_broker: NatsBroker, pool: Pool, domain: str, held: int
) -> None:
    mailbox = Mailbox(slow=SLOW)
    async with serving(mailbox) as port:
        settings = Settings.model_validate({"database_url": database_url, "smtp_url": f"smtp://127.0.0.1:{port}", "pool_max_size": 1})
        async with open_shop(settings, Adapters(passwords=CheapHasher(), broker=nats_broker)) as shop:
            assert shop.relay is not None
            assert shop.consumers is not None

            async def change(address: str) -> None:
                user = await shop.users.register(CONTEXT, replace(ADA, email=EmailAddress(address)), Password("correct horse"))
                assert isinstance(user, Ok)
                assert await shop.users.change_password(CONTEXT, user.value.id, "correct horse", Password("battery staple")) == Ok(None)

            for number in range(20):
                await change(f"slow{number}@{domain.format(number)}")
            await shop.relay.run_until_empty()
            stop = asyncio.Event()
            running = asyncio.create_task(shop.consumers["notifications"].run(stop))
            await until(lambda: len(mailbox.held) == held)
            for number in range(20):
                await change(f"ada{number}@example.org")
            await shop.relay.run_until_empty()
            # Not only sent: of one that is stopped before it is recorded, nobody knows.
            async with pool.connection() as conn, asyncio.timeout(30):
                cur = await conn.execute("SELECT")
                while cur.rowcount != 20:
                    await asyncio.sleep(0.01)
                    cur = await conn.execute("SELECT FROM inbox WHERE handled_at IS NOT NULL")
            assert len(mailbox.mails) == 20
            assert len(mailbox.held) == held
            stop.set()
            # Which no answer ends: there is none.
            await running
            await until(lambda: not mailbox.held)
    async with pool.connection() as conn:
        cur = await conn.execute("SELECT handled_at IS NOT NULL, attempts, claimed_until IS NULL, count(*) FROM inbox GROUP BY 1, 2, 3")
        found = {(handled, attempts, free): number for handled, attempts, free, number in await cur.fetchall()}
        [(counted,)] = await (await conn.execute("SELECT sum(sent) FROM notices")).fetchall()
    # Nothing of those that were not sent is counted, nor claimed.
    assert found.pop((True, 0, False)) == 20
    assert set(found) <= {(False, 0, True)}
    assert counted == 20


async def test_a_mail_has_one_deadline_however_often_the_server_says_that_the_answer_follows() -> None:
    mailbox = Mailbox(slow=re.compile("ada"))
    async with serving(mailbox) as port:
        with pytest.raises(NotificationPostponed):
            await SmtpNotifier(f"smtp://127.0.0.1:{port}", "shop@example.com", within=0.3).send(Delivery(NOTE))
        await until(lambda: not mailbox.held)

    closed = asyncio.Event()

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Until the client has closed the connection.
        with suppress(ConnectionError):
            while True:
                writer.write(b"220-wait\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        closed.set()

    async with await asyncio.start_server(greet, "127.0.0.1") as server:
        notifier = SmtpNotifier(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}", "shop@example.com", opened_within=0.3)
        with pytest.raises(NotifierLost):
            await notifier.send(Delivery(NOTE))
        await closed.wait()


async def test_a_mail_that_is_being_sent_is_not_sent_by_another_delivery_unless_its_process_died(
    pool: Pool, pg_users: PostgresUserRepository
) -> None:
    mailbox, event = Mailbox(slow=re.compile("ada")), UserPasswordChanged(await registered(pg_users))
    async with serving(mailbox) as port:
        first, second = (consumer(pool, f"smtp://127.0.0.1:{port}") for _ in range(2))
        sending = asyncio.create_task(first(event))
        await until(lambda: bool(mailbox.held))
        assert await second(event) is Verdict.LATER
        async with pool.connection() as conn:
            await conn.execute("UPDATE inbox SET claimed_until = now()")
        repeated = asyncio.create_task(second(event))
        mailbox.slow = None
        assert await repeated is Verdict.HANDLED
        mailbox.answering.set()
        assert await sending is Verdict.HANDLED
        assert await first(event) is Verdict.HANDLED
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 1
    assert len(mailbox.mails) == 2
    async with pool.connection() as conn:
        assert await (await conn.execute("SELECT sent FROM notices")).fetchall() == [(1,)]


async def test_a_process_that_fails_after_its_claim_does_not_undo_what_another_one_did(
    pool: Pool, conn: Connection, pg_users: PostgresUserRepository
) -> None:
    mailbox, event = Mailbox(slow=re.compile("ada")), UserPasswordChanged(await registered(pg_users))
    async with serving(mailbox) as port:
        first, second = (consumer(pool, f"smtp://127.0.0.1:{port}") for _ in range(2))
        sending = asyncio.create_task(first(event))
        await until(lambda: bool(mailbox.held))
        await conn.execute("UPDATE inbox SET claimed_until = now()")
        mailbox.slow = None
        assert await second(event) is Verdict.HANDLED
        mailbox.recipient_answer = "450 try again"
        mailbox.answering.set()
        assert await sending is Verdict.LATER
    assert await (await conn.execute("SELECT sent FROM notices")).fetchall() == [(1,)]
    assert await (await conn.execute("SELECT attempts, handled_at IS NOT NULL FROM inbox")).fetchall() == [(0, True)]


async def test_a_stop_does_not_wait_for_a_database_that_does_not_answer(
    service_url: str, conn: Connection, pg_users: PostgresUserRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming_consumer, "_STOPS_WITHIN", 0.1)
    mailbox, event = Mailbox(slow=re.compile("ada")), UserPasswordChanged(await registered(pg_users))
    async with serving(mailbox) as port, open_pool(service_url, PoolOptions(lock_timeout=60, statement_timeout=60)) as pool:
        sending = asyncio.create_task(consumer(pool, f"smtp://127.0.0.1:{port}")(event))
        await until(lambda: bool(mailbox.held))
        async with conn.transaction():
            await conn.execute("SELECT FROM inbox FOR UPDATE")
            sending.cancel()
            async with asyncio.timeout(30):
                await asyncio.wait([sending])
        assert sending.cancelled()


async def test_a_name_of_this_host_that_is_not_resolved_is_no_failure_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = threading.Event()
    monkeypatch.setattr(socket, "getfqdn", lambda: str(resolved.wait()))
    try:
        with pytest.raises(NotifierLost, match="the name of this host"):
            await SmtpNotifier("smtp://127.0.0.1:1", "shop@example.com", opened_within=0.05).send(Delivery(NOTE))
    finally:
        resolved.set()


async def test_notices_that_are_being_sent_count_until_they_have_failed(pool: Pool, pg_users: PostgresUserRepository) -> None:
    mailbox, ada = Mailbox(slow=re.compile("ada"), recipient_answer="450 try again"), UserPasswordChanged(await registered(pg_users))
    async with serving(mailbox) as port:
        receive = consumer(pool, f"smtp://127.0.0.1:{port}")
        sending = [asyncio.create_task(receive(ada, age=timedelta(minutes=number))) for number in range(7)]
        # Two were too many, and so wait.
        await until(lambda: sum(each.done() for each in sending) == 2)
        mailbox.answering.set()
        verdicts = [await each for each in sending]
        assert (verdicts.count(Verdict.LATER), verdicts.count(Failed(1))) == (2, 5)
        mailbox.recipient_answer = "250 OK"
        again = [await receive(ada, age=timedelta(minutes=number)) for number in range(7)]
    assert again == [Verdict.HANDLED] * 7
    assert len(mailbox.mails) == 5


# --- The limit of an address that several users had -----------------------------------------------------------------------


async def left(users: UserCommands, conn: Connection, times: int) -> list[tuple[Event, Message]]:
    """Have as many users register an address and leave it, one after the other, and return the events of that."""
    user_ids = list[UserId]()
    for number in range(times):
        user = await users.register(CONTEXT, ADA, Password("correct horse"))
        assert isinstance(user, Ok)
        user_ids.append(user.value.id)
        moved = replace(ADA, email=EmailAddress(f"ada{number}@example.net"))
        assert isinstance(await users.update_profile(CONTEXT, user.value.id, moved), Ok)
    cur = await conn.execute("SELECT message_id, occurred_at FROM outbox WHERE event_type = 'UserProfileUpdated' ORDER BY position")
    events = [UserProfileUpdated(user_id) for user_id in user_ids]
    return [
        (event, message(event).model_copy(update={"id": message_id, "occurred_at": occurred_at}))
        for event, (message_id, occurred_at) in zip(events, await cur.fetchall(), strict=True)
    ]


@pytest.mark.parametrize(("end", "notified"), [("refused", 1), ("stopped", 1), ("sent", 0), ("in doubt", 0)])
async def test_a_notice_waits_until_it_is_certain_that_the_one_before_uses_up_the_limit(
    pool: Pool, conn: Connection, end: str, notified: int
) -> None:
    mailbox = Mailbox(slow=re.compile("ada"), content_answer="disconnect" if end == "in doubt" else None)
    both = await left(UserCommands(Transactions(units_of_work(pool)), CheapHasher()), conn, 2)
    async with serving(mailbox) as port:
        inbox: PostgresInbox[Recipients] = PostgresInbox(pool, "notifications", PostgresRecipients)
        attacker, owner = (MessageReader([UserProfileUpdated], inbox, by_mail(pool, f"smtp://127.0.0.1:{port}")) for _ in range(2))
        [(_, others), (_, own)] = both
        sending = asyncio.create_task(attacker(others))
        await until(lambda: bool(mailbox.held))
        assert await owner(own) is Verdict.LATER
        if end == "stopped":
            sending.cancel()
            await asyncio.wait([sending])
        if end == "refused":
            mailbox.recipient_answer = "450 try again"
        mailbox.answering.set()
        if end == "sent":
            assert await sending is Verdict.HANDLED
        elif end != "stopped":
            assert await sending == Failed(1)
        mailbox.recipient_answer = "250 OK"
        if end == "in doubt":
            # Until it is settled, although it counts whatever becomes of it.
            assert await owner(own) is Verdict.LATER
            mailbox.content_answer, mailbox.answer = None, "550 had it already"
            assert [await attacker(others) for _ in range(4)][-1] is Verdict.DEAD
            mailbox.answer = "250 OK"
        assert await owner(own) is Verdict.HANDLED
        if end != "in doubt":
            assert await attacker(others) is Verdict.HANDLED
    assert [mail["Message-ID"].partition("@")[0] for mail in mailbox.mails] == [f"<{both[notified][1].id}"]
    assert await (await conn.execute("SELECT sent FROM notices")).fetchall() == [(1,)]
    assert await (await conn.execute("SELECT max(attempts) FROM inbox WHERE message_id = %s", [own.id])).fetchall() == [(0,)]


async def test_a_notice_waits_no_longer_than_the_day_for_one_that_is_never_settled(pool: Pool, conn: Connection) -> None:
    mailbox = Mailbox(slow=re.compile("ada"))
    [others, own] = await left(UserCommands(Transactions(units_of_work(pool)), CheapHasher()), conn, 2)
    async with serving(mailbox) as port:
        attacker, owner = (by_mail(pool, f"smtp://127.0.0.1:{port}") for _ in range(2))
        sending = asyncio.create_task(attacker(*others))
        await until(lambda: bool(mailbox.held))
        with pytest.raises(Later):
            await owner(*own)
        mailbox.slow = None
        await conn.execute("UPDATE notices SET day = day - 1")
        assert await owner(*own) is Verdict.HANDLED
        sending.cancel()
        await asyncio.wait([sending])
    assert [mail["Message-ID"].partition("@")[0] for mail in mailbox.mails] == [f"<{own[1].id}"]


async def test_a_replay_of_a_notice_that_has_to_wait_says_so_and_keeps_the_letter(database_url: str, pool: Pool, conn: Connection) -> None:
    mailbox = Mailbox(slow=re.compile("ada"))
    [(event, others), (own_event, own)] = await left(UserCommands(Transactions(units_of_work(pool)), CheapHasher()), conn, 2)
    letter = await buried(conn, own_event, id=own.id, occurred_at=own.occurred_at)
    async with serving(mailbox) as port:
        url = f"smtp://127.0.0.1:{port}"
        sending = asyncio.create_task(by_mail(pool, url)(event, others))
        await until(lambda: bool(mailbox.held))
        async with open_shop(Settings.model_validate({"database_url": database_url, "smtp_url": url}), Adapters()) as shop:
            replayed = await shop.dead_letters.replay(CONTEXT, "notifications", letter)
        assert isinstance(replayed, Err)
        assert str(replayed.error) == (
            "the message cannot be handled: the limit of notices to its recipient is reached, and not all of them are settled"
        )
        mailbox.answering.set()
        assert await sending is Verdict.HANDLED
    assert await (await conn.execute("SELECT message_id FROM inbox WHERE dead_at IS NOT NULL")).fetchall() == [(letter,)]


async def test_of_notices_that_wait_for_each_other_in_two_consumers_one_is_sent_in_the_end(
    database_url: str,
    nats: LocalServer,
    nats_broker: NatsBroker,
    conn: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "shop.consumer")
    # A quarter of an hour is too long here.
    monkeypatch.setattr(notifications, "RETRIES", Backoff(first=0.5, longest=1.0))
    mailbox = Mailbox(slow=re.compile("ada"))

    async def until_stored(number: int, condition: LiteralString) -> None:
        query = sql.SQL("SELECT FROM inbox WHERE {}").format(sql.SQL(condition))
        async with asyncio.timeout(30):
            while (await conn.execute(query)).rowcount < number:  # noqa: ASYNC110 as above
                await asyncio.sleep(0.01)

    async with serving(mailbox) as port, open_broker(nats.url) as second_broker, AsyncExitStack() as shops:
        settings = Settings.model_validate({"database_url": database_url, "smtp_url": f"smtp://127.0.0.1:{port}"})
        stop, running = asyncio.Event(), list[asyncio.Task[int]]()
        for broker in (nats_broker, second_broker):
            shop = await shops.enter_async_context(open_shop(settings, Adapters(passwords=CheapHasher(), broker=broker)))
            assert shop.relay is not None
            assert shop.consumers is not None
            if not running:
                await left(shop.users, conn, 6)
                await shop.relay.run_until_empty()
            running.append(asyncio.create_task(shop.consumers["notifications"].run(stop)))
        await until(lambda: len({record.message for record in caplog.records if " waits: " in record.message}) == 5)
        mailbox.recipient_answer = "450 try again"
        mailbox.answering.set()
        await until_stored(3, "attempts > 0")
        mailbox.recipient_answer = "250 OK"
        await until_stored(6, "handled_at IS NOT NULL OR dead_at IS NOT NULL")
        stop.set()
        await asyncio.gather(*running)
    assert [mail["To"] for mail in mailbox.mails] == ["ada@example.org"]
    assert await (await conn.execute("SELECT sent FROM notices")).fetchall() == [(1,)]


# --- Mails of which nobody knows whether they were sent -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "end"), [("nothing", "deadline"), ("disconnect", "error"), ("OK", "error"), ("nothing", "stop"), ("nothing", "death")]
)
async def test_a_notice_that_may_have_been_sent_counts_although_its_repetition_is_refused(
    pool: Pool, conn: Connection, pg_users: PostgresUserRepository, answer: str, end: str
) -> None:
    mailbox, event = Mailbox(content_answer=answer), UserPasswordChanged(await registered(pg_users))
    async with serving(mailbox) as port:
        url = f"smtp://127.0.0.1:{port}"
        sending = asyncio.create_task(consumer(pool, url, within=2.0 if end == "deadline" else 20.0)(event))
        await until(lambda: len(mailbox.mails) == 1 or sending.done())
        if end == "death":
            # Nothing is left of its process but the claim, which ends.
            await conn.execute("UPDATE inbox SET claimed_until = now()")
        elif end == "stop":
            sending.cancel()
            await asyncio.wait([sending])
            assert await (await conn.execute("SELECT claimed_until FROM inbox")).fetchall() == [(None,)]
        else:
            assert await sending == Failed(1)
        mailbox.content_answer, mailbox.answer = None, "550 had it already"
        assert isinstance(await consumer(pool, url)(event), Failed)
        sending.cancel()
        await asyncio.wait([sending])
    assert len(mailbox.mails) == 1
    assert await (await conn.execute("SELECT sent FROM notices")).fetchall() == [(1,)]


async def buried(conn: Connection, event: Event, **changes: object) -> uuid.UUID:
    """Insert a dead letter of the consumer, and return its id."""
    letter = message(event).model_copy(update={"occurred_at": datetime.now(UTC), **changes})
    await conn.execute(
        """
        INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error, dead_at, dead_message)
        VALUES ('notifications', %s, %s, 5, 'refused', now(), %s)
        """,
        [letter.id, letter.event_type, letter.model_dump_json()],
    )
    return letter.id


async def test_a_replayed_notice_counts_before_it_is_sent_and_whatever_becomes_of_it(
    database_url: str, conn: Connection, pg_users: PostgresUserRepository
) -> None:
    mailbox, ada = Mailbox(content_answer="nothing"), await registered(pg_users)
    letter = await buried(conn, UserPasswordChanged(ada))
    async with serving(mailbox) as port:
        settings = Settings.model_validate({"database_url": database_url, "smtp_url": f"smtp://127.0.0.1:{port}"})
        async with open_shop(settings, Adapters(passwords=CheapHasher())) as shop:
            replaying = asyncio.create_task(shop.dead_letters.replay(CONTEXT, "notifications", letter))
            await until(lambda: len(mailbox.mails) == 1 or replaying.done())
            # As it stays if the process dies now.
            assert await (await conn.execute("SELECT sent FROM notices")).fetchall() == [(1,)]
            replaying.cancel()
            await asyncio.wait([replaying])
            mailbox.content_answer = None
            assert await shop.dead_letters.replay(CONTEXT, "notifications", letter) == Ok(None)
    assert await (await conn.execute("SELECT sent FROM notices")).fetchall() == [(1,)]
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 1


async def test_who_registers_the_previous_address_does_not_prevent_the_notice(database_url: str, conn: Connection, pool: Pool) -> None:
    mailbox = Mailbox()
    async with serving(mailbox) as port:
        settings = Settings.model_validate({"database_url": database_url, "smtp_url": f"smtp://127.0.0.1:{port}"})
        async with open_shop(settings, Adapters(passwords=CheapHasher())) as shop:
            ada = await shop.users.register(CONTEXT, ADA, Password("correct horse"))
            assert isinstance(ada, Ok)
            moved = replace(ADA, email=EmailAddress("thief@example.net"))
            assert isinstance(await shop.users.update_profile(CONTEXT, ada.value.id, moved), Ok)
            assert isinstance(await shop.users.register(CONTEXT, ADA, Password("correct horse")), Ok)
            event = UserProfileUpdated(ada.value.id)
            [(changed_at,)] = await (await conn.execute("SELECT replaced_at FROM former_addresses")).fetchall()
            delivered = message(event).model_copy(update={"occurred_at": changed_at})
            assert await by_mail(pool, f"smtp://127.0.0.1:{port}")(event, delivered) is Verdict.HANDLED
    assert [mail["To"] for mail in mailbox.mails] == ["ada@example.org"]
