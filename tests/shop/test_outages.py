"""Outages: each is one line in the log however many requests it affects, and no client learns about servers from it."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from redis import Redis

from shop.application.health import Check, check_health
from shop.application.outages import Outage
from shop.bootstrap.administration import grant_to
from shop.bootstrap.settings import Settings
from shop.domain.users import Role
from shop.infrastructure.postgres.administration.owner import owner_transaction
from shop.infrastructure.postgres.pool import DatabaseNotReady
from shop.local_servers import redis_server
from shop.web.problems import OF_ERROR, Refused
from tests.support.disks import small_disk

from .web import PASSWORD, Web, open_web, problem

WARNING = logging.WARNING
# Addresses, SQLSTATEs, and words of PostgreSQL and Redis.
INTERNAL = re.compile(
    r"\d+\.\d+\.\d+\.\d+|localhost|:\d{2,}|SQLSTATE|permission denied|read.only|maxmemory|refused|Errno|Error \d|connection", re.IGNORECASE
)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{record.name}: {record.getMessage()}" for record in caplog.records if record.levelno >= WARNING]


def test_a_success_among_failures_does_not_end_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    outage = Outage(logging.getLogger("shop.test"), "lost", "back", settled=10, clock=lambda: now)
    for now, is_lost in ((0, True), (5, False), (14, True), (23, False), (24, False), (40, False)):  # noqa: B007 the clock
        if is_lost:
            outage.begin("down")
        else:
            outage.end()
    assert warnings(caplog) == ["shop.test: lost: down", "shop.test: back"]


async def _log_in(web: Web) -> httpx.Response:
    return await web.client.post("/sessions", json={"email": "user1@example.org", "password": PASSWORD})


def _read_only(url: str) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}options=-c%20default_transaction_read_only%3Don"


async def test_reads_that_cannot_be_recorded_are_unavailable_also_those_that_would_be_refused(database_url: str, redis_url: str) -> None:
    async with open_web(database_url, redis_url) as web:
        ada, grace, clerk = await web.person(), await web.person(), await web.person(Role.CLERK)
        order = await ada.order()
    async with open_web(_read_only(database_url), redis_url) as web:
        # One's own data need no entry.
        assert (await web.client.get(f"/users/{ada.id}", headers=ada.headers)).status_code == 200
        for path in (f"/users/{ada.id}", f"/users/{ada.id}/orders", "/users", "/audit", "/sales", f"/orders/{order['id']}"):
            for person in (grace, clerk):
                assert problem(await web.client.get(path, headers=person.headers)) == (503, "unavailable"), path


async def test_a_database_without_writes_is_one_line_whatever_succeeds_meanwhile(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_web(database_url) as web:
        ada = await web.person()
    async with open_web(_read_only(database_url)) as web:
        answers = [await _log_in(web) for _ in range(4)]
        # Reads, which succeed.
        assert [(await web.client.get(f"/users/{ada.id}/profile")).status_code for _ in range(2)] == [200, 200]
        answers.append(await _log_in(web))
    assert [problem(each) for each in answers] == [(503, "unavailable")] * 5
    assert [each.json()["detail"] for each in answers if INTERNAL.search(each.json()["detail"])] == []
    assert warnings(caplog) == [
        "shop.transactions: the database is unavailable: read only sql transaction (SQLSTATE 25006): the database accepts no writes"
    ]


async def test_a_locked_row_is_one_line_for_all_who_wait_for_it(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with open_web(database_url, lock_timeout=0.05) as web:
        ada = await web.person()
        order = (await ada.order())["id"]
        caplog.clear()
        async with await psycopg.AsyncConnection.connect(database_url) as conn:
            await conn.execute("SELECT FROM orders FOR UPDATE")
            answers = [await ada("POST", f"/orders/{order}/payment") for _ in range(3)]
    assert [problem(each) for each in answers] == [(503, "too-much-contention")] * 3
    [line] = warnings(caplog)
    assert line.startswith("shop.transactions: transactions conflict, or wait for a lock: order.pay is abandoned after attempt 1: ")


async def test_why_no_connection_can_be_established_is_logged(
    database_url: str, service_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    role = f"shop_test_{uuid.uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 's3cret' IN ROLE {urlsplit(service_url).username}".encode())
        url = urlsplit(service_url)
        own = url._replace(netloc=f"{role}:s3cret@{url.netloc.rpartition('@')[2]}").geturl()
        try:
            async with open_web(own, pool_wait_timeout=0.5) as web:
                caplog.clear()
                admin.execute(f"ALTER ROLE {role} NOLOGIN".encode())
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
                answers = [await _log_in(web) for _ in range(3)]
        finally:
            admin.execute(f"DROP ROLE {role}".encode())
    assert [problem(each) for each in answers] == [(503, "unavailable")] * 3
    [cause] = [line for line in warnings(caplog) if line.startswith("shop.pool: PostgreSQL accepts no connection: ")]
    assert "is not permitted to log in" in cause


async def test_a_session_store_without_writes_is_one_line_and_not_healthy(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(tmp_path) as server:
        client: Any = Redis.from_url(server.url)  # pyright: ignore[reportUnknownMemberType] redis types its keyword arguments partially
        async with open_web(database_url, server.url, session_check_interval=0) as web:
            ada = await web.person()
            caplog.clear()
            for name, value, cause in (("maxmemory", "1", "its memory is full"), ("replicaof", "127.0.0.1 1", "it is a replica")):
                if name == "maxmemory":
                    client.config_set(name, value)
                else:
                    client.config_set("maxmemory", "0")
                    client.execute_command("REPLICAOF", *value.split())
                answers = [await _log_in(web) for _ in range(2)]
                # Which is only read.
                assert (await ada("GET", f"/users/{ada.id}")).status_code == 200
                assert [problem(each) for each in answers] == [(503, "sessions-unavailable")] * 2
                assert [each.json()["detail"] for each in answers if INTERNAL.search(each.json()["detail"])] == []
                [redis] = [each for each in (await check_health(web.state.checks)).findings if each.name == "redis"]
                assert (redis.is_healthy, cause in redis.detail) == (False, True)
        client.close()
    assert [line for line in warnings(caplog) if line.startswith("shop.sessions")] == [
        "shop.sessions: the session store is unavailable: Redis accepts no writes: its memory is full; raise its maxmemory"
    ]


def _made(error: type[Any]) -> object:
    made = object.__new__(error)
    for each in fields(error) if is_dataclass(error) else ():
        object.__setattr__(made, each.name, "Error 111 connecting to 127.0.0.1:26379 (SQLSTATE 42501)" if each.name == "reason" else 1)
    return made


def test_no_problem_has_the_reason_of_an_outage() -> None:
    # Of what the service depends on. Other reasons are of values that the client sent.
    details = {error.__name__: Refused.by(_made(error)).detail for error, problem in OF_ERROR.items() if problem.status >= 500}
    assert {"Unavailable", "SessionsUnavailable"} <= set(details)
    assert {name: detail for name, detail in details.items() if INTERNAL.search(detail)} == {}


# --- Health -------------------------------------------------------------------------------------------------------------


async def test_a_check_that_does_not_end_when_it_is_cancelled_is_not_waited_for() -> None:
    released = asyncio.Event()
    ended = asyncio.Event()

    async def probe() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(released.wait(), 10)
            ended.set()
        return ""

    [finding] = (await check_health([Check("slow", probe, is_required=True)], seconds=0.01)).findings
    assert (finding.is_healthy, finding.detail, ended.is_set()) == (False, "no answer within 0.01 s", False)
    released.set()
    await ended.wait()


async def test_what_is_not_required_keeps_nobody_waiting() -> None:
    async def wait() -> str:
        await asyncio.Event().wait()
        return ""

    async def answer() -> str:
        return "fine"

    health = await check_health([Check("store", answer, is_required=True), Check("cache", wait, is_required=False)], 60, 0.01)
    assert (health.is_ready, [each.detail for each in health.findings]) == (True, ["fine", "no answer within 0.01 s"])


async def _unhealthy(url: str) -> dict[str, str]:
    async with open_web(url) as web:
        return await _found(web)


async def _found(web: Web) -> dict[str, str]:
    return {each.name: each.detail for each in (await check_health(web.state.checks)).findings if each.is_required and not each.is_healthy}


async def test_a_database_that_accepts_no_writes_is_not_ready(database_url: str) -> None:
    found = await _unhealthy(_read_only(database_url))
    assert list(found) == ["postgres"]
    assert "default_transaction_read_only is on" in found["postgres"]


async def test_rights_that_were_not_granted_are_not_ready(database_url: str, service_url: str) -> None:
    role = urlsplit(service_url).username
    async with open_web(service_url) as web:
        assert await _found(web) == {}
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute(f"REVOKE SELECT ON users FROM {role}".encode())
            admin.execute(f"REVOKE UPDATE (claim) ON outbox FROM {role}".encode())
            admin.execute(f"REVOKE EXECUTE ON FUNCTION erase_traces FROM {role}".encode())
        found = await _found(web)
        ready = await web.client.get("/readyz")
    assert list(found) == ["rights"]
    missing, _, cure = found["rights"].partition("; ")
    assert missing == "missing: EXECUTE on erase_traces(uuid, integer), SELECT on users, UPDATE on outbox"
    assert cure == "run as the owner of the tables: shop database grant"
    assert ready.status_code == 503


@contextmanager
def _full_disk() -> Generator[Path]:
    """A file system without room, which the server's user can reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with small_disk(folder, "256k") as disk:
            yield disk


def _lend(disk: Path, data: Path) -> None:
    if not data.exists():
        pytest.skip("the server is on another machine")
    os.chown(disk, data.stat().st_uid, data.stat().st_gid)


async def test_a_full_disk_is_not_ready(database_url: str) -> None:
    with _full_disk() as disk, psycopg.connect(database_url, autocommit=True) as admin:
        [(data,)] = admin.execute("SHOW data_directory").fetchall()
        _lend(disk, Path(data))
        name = f"full_{uuid.uuid4().hex}"
        admin.execute(f"CREATE TABLESPACE {name} LOCATION '{disk}'".encode())
        try:
            admin.execute(f'ALTER DATABASE "{admin.info.dbname}" SET temp_tablespaces = {name}'.encode())
            found = await _unhealthy(database_url)
        finally:
            admin.execute(f'ALTER DATABASE "{admin.info.dbname}" RESET temp_tablespaces'.encode())
            admin.execute(f"DROP TABLESPACE {name}".encode())
    assert list(found) == ["postgres"]
    assert "the disk is full" in found["postgres"]


async def test_each_host_that_does_not_answer_is_named() -> None:
    with pytest.raises(DatabaseNotReady, match=r"(?s)port 1 failed.*; .*port 2 failed"):
        async with owner_transaction("postgresql://u@127.0.0.1:1,127.0.0.1:2/x", 60):
            pass


async def test_an_error_of_a_connection_that_was_made_does_not_look_like_one_that_was_not(database_url: str) -> None:
    with pytest.raises(DatabaseNotReady) as error:
        async with owner_transaction(database_url, 60) as conn:
            await conn.execute("DO $$ BEGIN RAISE disk_full; END $$")
    assert str(error.value) == "PostgreSQL refused: disk full (SQLSTATE 53100); nothing was changed"


async def test_a_database_without_migrations_cannot_be_granted_rights_on_and_the_cure_is_named(new_database: Callable[[str], str]) -> None:
    settings = Settings.model_validate({"database_url": new_database("template1")})
    with pytest.raises(DatabaseNotReady, match=r"the migrations are not applied .*; run: dbmate -d migrations up"):
        await grant_to(settings, f"shop_test_{uuid.uuid4().hex}")
