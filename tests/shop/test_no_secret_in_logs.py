"""No log line, at any level, contains a secret or a value of a row. conftest.py checks this for all other tests too."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from pydantic import TypeAdapter, ValidationError
from redis import Redis
from redis.exceptions import ResponseError

from shop.application.commands.passwords import PasswordHasher
from shop.application.commands.seed_data import generate
from shop.application.context import Actor, Context
from shop.application.reads.cache import CacheUnavailable, Lease
from shop.application.transactions.failures import StoreDefect
from shop.bootstrap.service import Adapters, Shop, open_shop
from shop.bootstrap.settings import Settings
from shop.domain.result import Err
from shop.domain.users import Profile
from shop.domain.values import EmailAddress, Password, PasswordHash, PersonName, PhoneNumber
from shop.infrastructure.postgres.pool import DatabaseNotReady, open_pool
from shop.infrastructure.redis.cache_store import open_cache_store
from shop.infrastructure.redis.connection import errors_as
from shop.local_servers import redis_server

from .log_watch import FORBIDDEN, LogWatch

CONTEXT = Context(Actor.system("test"), "pytest")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"), PhoneNumber("+44 20 7946 0018"))
PASSWORD = Password("correct horse")
HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")

# Errors of a schema: each quotes the row, in its message, its DETAIL or its CONTEXT.
TRIGGER = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NEW; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION refuse();
"""
DEFECTS = {
    "check": "ALTER TABLE users ADD CONSTRAINT impossible CHECK (length(email) < 0)",
    "not null": "ALTER TABLE users ADD COLUMN missing integer NOT NULL",
    "unique": """
        INSERT INTO users (first_name, last_name, email, password) SELECT 'Ada', 'Lovelace', 'other' || i || '@example.org', '$v2$0'
        FROM generate_series(1, 1) AS i;
        CREATE UNIQUE INDEX nobody_twice ON users ((1))
    """,
    "cast": TRIGGER.format("PERFORM NEW.password::integer;"),
    "raise": TRIGGER.format("RAISE EXCEPTION 'no % here', NEW.email USING DETAIL = NEW.password, HINT = NEW.phone;"),
    "raise with a table": TRIGGER.format("RAISE unique_violation USING MESSAGE = NEW.email;"),
}
FAILURES = {
    "conflict": TRIGGER.format("RAISE serialization_failure USING MESSAGE = NEW.email;"),
    "lost": TRIGGER.format("RAISE query_canceled USING MESSAGE = NEW.email;"),
}


@pytest_asyncio.fixture
async def shop(database_url: str, cheap_hasher: PasswordHasher) -> AsyncIterator[Shop]:
    """The service on PostgreSQL only."""
    async with open_shop(Settings.model_validate({"database_url": database_url}), Adapters(passwords=cheap_hasher)) as shop:
        yield shop


def forbidden(error: BaseException) -> list[str]:
    """Return the forbidden text that any log of an error could contain."""
    return FORBIDDEN.findall(str(error) + "".join(traceback.format_exception(error, limit=0)))


@pytest.mark.parametrize("schema", DEFECTS.values(), ids=list(DEFECTS))
async def test_neither_a_defect_nor_its_cause_contains_a_value(shop: Shop, database_url: str, schema: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(schema.encode())
    with pytest.raises(StoreDefect) as registered:
        await shop.users.register(CONTEXT, ADA, PASSWORD)
    [batch] = generate(7, 20, HASH)
    with pytest.raises(StoreDefect) as seeded:
        await shop.seeds.write(CONTEXT, 7, batch)
    assert (forbidden(registered.value), forbidden(seeded.value)) == ([], [])
    assert "create_user" in str(traceback.extract_tb(registered.value.__traceback__)), "the traceback must show where it happened"


@pytest.mark.parametrize("schema", FAILURES.values(), ids=list(FAILURES))
async def test_a_failure_contains_no_value(shop: Shop, database_url: str, schema: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(schema.encode())
    failed = await shop.users.register(CONTEXT, ADA, PASSWORD)
    assert isinstance(failed, Err)
    assert FORBIDDEN.search(str(failed.error)) is None


async def test_an_unreachable_server_is_reported_without_credentials() -> None:
    with pytest.raises(DatabaseNotReady, match=r"127\.0\.0\.1") as refused:
        async with open_pool("postgres://ada:s3cret@127.0.0.1:1/shop"):
            pass
    assert forbidden(refused.value) == []


async def test_another_library_s_exception_is_logged_without_its_text(log_watch: LogWatch) -> None:
    logger = logging.getLogger("shop.test")
    # In a variable, since a traceback quotes the source.
    row = f"Failing row contains ({ADA.name})"
    try:
        TypeAdapter(int).validate_python(row)
    except ValidationError as error:
        logger.exception("failed", exc_info=ExceptionGroup("several", [ValueError(str(error)), error]))

    async def fail() -> None:
        raise ValueError(row)

    # It is not awaited, so asyncio logs its representation.
    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    assert log_watch.take() == []


async def test_an_error_of_redis_contains_no_value(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server, Redis.from_url(server.url) as redis:  # pyright: ignore[reportUnknownMemberType] partially typed
        rights = ["+@all", "-evalsha", "-eval"]
        redis.acl_setuser("plain", enabled=True, nopass=True, keys=["*"], commands=rights)  # pyright: ignore[reportUnknownMemberType] as above
        async with open_cache_store(server.url.replace("redis://", "redis://plain@")) as store:
            with pytest.raises(CacheUnavailable) as refused:
                await store.fill("key", Lease("token"), str(ADA.name).encode(), 1)
    assert forbidden(refused.value) == []
    assert str(refused.value).startswith("Redis refuses: this user has no permissions to run the 'evalsha' command")


async def test_an_error_of_redis_that_quotes_arguments_is_shown_without_them() -> None:
    for said, shown in (
        ("unknown command 'FOO', with args beginning with: 's3cret' 'other' ", "unknown command 'FOO'"),
        ("wrong kind of `s3cret-token-0`", "wrong kind of …"),
        ('a value "s3cret of one user" and \'another one', "a value … and …"),
        ("wrong number of arguments for 'acl|whoami' command", "wrong number of arguments for 'acl|whoami' command"),
    ):
        with pytest.raises(CacheUnavailable) as refused, errors_as(CacheUnavailable):
            raise ResponseError(said)
        assert str(refused.value) == f"Redis refuses: {shown}"


@pytest.mark.parametrize(
    "secret",
    [
        "redis://:s3cret@h",
        "nats://s3cret@h",
        "nats://user:s3cret/with@it@h",
        "postgres://h/d?user=ada&password=s3cret",
        "host=h password='s3 s3cret' user=ada",
        "redis://h?ssl_password=s3cret",
    ],
)
async def test_a_url_is_logged_without_its_credentials(log_watch: LogWatch, secret: str) -> None:
    logging.getLogger("elsewhere").warning("connecting to %s", secret)
    assert log_watch.take() == []


@pytest.mark.parametrize(
    "text",
    ["ada@example.org", "$argon2id$v=19$m=8", "$v2$aa", "+44 20 7946 0018", "DETAIL:  Key (email)", "correct horse", "postgres://a:b@h"],
)
def test_the_watch_detects_forbidden_text(text: str) -> None:
    assert FORBIDDEN.search(f'{{"event": "{text}"}}')
