"""Starts of the processes that run until they are stopped, while what they need is down."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from shop.cli import app
from shop.cli.output import ExitCode
from shop.domain.events import Event, OrderPaid
from shop.infrastructure.postgres.pool import open_pool
from shop.infrastructure.postgres.transactions.unit_of_work import units_of_work
from shop.local_servers import nats_server, redis_server
from tests.support.servers import ReadyCluster
from tests.support.waiting import wait_until

from .conftest import Dbmate
from .events import ORDER, TOTAL, USER
from .replication import Server, running_primary
from .web import KEYS

pytestmark = pytest.mark.programs

WAITS, GOES_ON = "the start waits for PostgreSQL", "PostgreSQL answers, and the start goes on"
NOWHERE = "postgresql://postgres@127.0.0.1:1/shop"
COMMANDS = [("serve", "--port", "0"), ("relay",), ("consume", "sales"), ("consume", "cache"), ("consume", "sessions")]


class Process:
    """A process of the shop, whose output is in a file."""

    def __init__(self, log: Path, urls: dict[str, str], *command: str) -> None:
        self._log = log
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
        keys = {f"SHOP_{name.upper()}": value for name, value in KEYS.items()}
        arguments = [sys.executable, "-X", "utf8", "-m", "shop.cli", *command]
        # A background process of a shell ignores SIGINT, and its children inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with log.open("ab") as output:
                environment = kept | keys | {"SHOP_CURSOR_KEYS": "k" * 32, "SHOP_HTTP_DRAIN": "0"} | urls
                self._process = subprocess.Popen(
                    arguments, env=environment, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output
                )
        finally:
            signal.signal(signal.SIGINT, before)

    @property
    def said(self) -> str:
        return self._log.read_text("utf-8")

    def says(self, what: str) -> None:
        """Wait until the process has said this."""
        wait_until(lambda: what in self.said or self._process.poll() is not None, f"never said: {what}")
        assert self._process.poll() is None, self.said

    def end(self, number: signal.Signals) -> int:
        """Stop the process by a signal, and return its exit status."""
        self._process.send_signal(number)
        return self._process.wait(60)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def started(stack: ExitStack, folder: Path, urls: dict[str, str], *commands: tuple[str, ...]) -> list[Process]:
    """Start processes, which are killed at the end of the test."""
    processes = [Process(folder / f"{number}.log", urls, *command) for number, command in enumerate(commands)]
    for each in processes:
        stack.callback(each.kill)
    return processes


@pytest.fixture(scope="module")
def primary(ready_cluster: ReadyCluster, dbmate: Dbmate) -> Iterator[Server]:
    """A migrated server."""
    # The cluster is not used: whoever makes it lets the server's user reach the programs.
    with running_primary() as server:
        dbmate(server.url, "up")
        yield server


async def add_to_outbox(database_url: str, event: Event) -> None:
    async with open_pool(database_url) as pool, units_of_work(pool)() as uow:
        await uow.outbox.add(event, "trace-1")
        await uow.commit()


def test_what_is_started_before_its_servers_works_when_they_are_there(primary: Server, stack: ExitStack, tmp_path: Path) -> None:
    asyncio.run(add_to_outbox(primary.url, OrderPaid(ORDER, USER, TOTAL)))
    redis, nats = stack.enter_context(redis_server(tmp_path)), stack.enter_context(nats_server(tmp_path))
    primary.kill()
    redis.kill()
    nats.kill()
    urls = {"DATABASE_URL": primary.url, "REDIS_URL": redis.url, "NATS_URL": nats.url}
    processes = started(stack, tmp_path, urls, *COMMANDS)
    for each in processes:
        each.says(WAITS)
    primary.start()
    for each in processes:
        each.says("stop with Ctrl-C")
    redis.start()
    nats.start()
    with psycopg.connect(primary.url, autocommit=True) as conn:
        wait_until(lambda: conn.execute("SELECT orders FROM daily_sales").fetchall() == [(1,)], "the order was not counted")
    assert [each.end(signal.SIGTERM) for each in processes] == [0] * len(processes)
    assert [(each.said.count(WAITS), each.said.count(GOES_ON)) for each in processes] == [(1, 1)] * len(processes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_start_that_waits_can_be_stopped(stack: ExitStack, tmp_path: Path, number: signal.Signals) -> None:
    processes = started(stack, tmp_path, {"DATABASE_URL": NOWHERE, "NATS_URL": "nats://127.0.0.1:1"}, *COMMANDS[:3])
    for each in processes:
        each.says(WAITS)
    assert [(each.end(number), each.said.count("\n")) for each in processes] == [(0, 1)] * len(processes)


def test_a_database_whose_other_host_refuses_the_user_may_yet_answer(primary: Server, stack: ExitStack, tmp_path: Path) -> None:
    url = primary.url.replace("postgres@127.0.0.1:", "nobody@127.0.0.1:1,127.0.0.1:")
    [relay] = started(stack, tmp_path, {"DATABASE_URL": url, "NATS_URL": "nats://127.0.0.1:1"}, ("relay",))
    relay.says('role "nobody" does not exist')


def test_a_database_without_a_free_connection_is_waited_for(primary: Server, stack: ExitStack, tmp_path: Path) -> None:
    with psycopg.connect(primary.url, autocommit=True) as conn:
        conn.execute("CREATE ROLE crowded SUPERUSER LOGIN")
        # Superusers are exempt from limits of roles.
        conn.execute("ALTER ROLE crowded NOSUPERUSER CONNECTION LIMIT 0")
        conn.execute("GRANT pg_read_all_data, pg_write_all_data TO crowded")
        url = primary.url.replace("postgres@", "crowded@")
        [relay] = started(stack, tmp_path, {"DATABASE_URL": url, "NATS_URL": "nats://127.0.0.1:1"}, ("relay",))
        relay.says("too many connections for role")
        conn.execute("ALTER ROLE crowded CONNECTION LIMIT 5")
        relay.says("running")


def exit_status(database_url: str, *command: str, nats_url: str = "nats://127.0.0.1:1") -> int:
    environment = {"DATABASE_URL": database_url, "NATS_URL": nats_url}
    return CliRunner().invoke(app, list(command), env=environment, prog_name="shop").exit_code


def test_what_no_waiting_cures_ends_a_start(primary: Server) -> None:
    with psycopg.connect(primary.url, autocommit=True) as conn:
        conn.execute("CREATE ROLE ada LOGIN PASSWORD 's3cret'")
        conn.execute("CREATE ROLE grace LOGIN")
        conn.execute("CREATE ROLE nologin NOLOGIN")
        conn.execute("CREATE DATABASE empty")
        [[hba]] = conn.execute("SHOW hba_file").fetchall()
        before = Path(hba).read_text("utf-8")
        Path(hba).write_text("host all ada 127.0.0.1/32 scram-sha-256\nhost all stranger 127.0.0.1/32 reject\n" + before, "utf-8")
        conn.execute("SELECT pg_reload_conf()")
    hopeless = [
        primary.url.replace("postgres@", "nobody@"),
        primary.url.replace("/postgres?", "/nothing?"),
        primary.url.replace("/postgres?", "/empty?"),
        primary.url.replace("postgres@", "ada:wrong@"),
        primary.url.replace("postgres@", "ada@"),
        primary.url.replace("postgres@", "stranger@"),
        primary.url.replace("postgres@", "nologin@"),
        primary.url.replace("postgres@", "grace@"),
        primary.url.replace("sslmode=disable", "sslmode=require"),
    ]
    assert {url: exit_status(url, command) for url in hopeless for command in ("relay", "consume")} == dict.fromkeys(hopeless, 69)


def test_a_start_waits_for_nothing_if_it_is_to_end_or_a_setting_is_missing() -> None:
    assert exit_status(NOWHERE, "relay", "--once") == ExitCode.UNAVAILABLE
    assert exit_status(NOWHERE, "relay", nats_url="") == ExitCode.SETTINGS
    assert exit_status(NOWHERE, "consume", "sales", nats_url="") == ExitCode.SETTINGS
    assert exit_status(NOWHERE, "consume", "cache") == ExitCode.SETTINGS
