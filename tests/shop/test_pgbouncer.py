"""The service behind PgBouncer in transaction mode, which lends a server connection for one transaction."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from shop.application.commands.passwords import PasswordHasher
from shop.application.context import Actor, Context
from shop.bootstrap.service import Adapters, open_shop
from shop.bootstrap.settings import Settings
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, OrderLine
from shop.domain.result import Ok
from shop.domain.users import Profile
from shop.domain.values import EmailAddress, Password, PersonName
from tests.support.servers import make_folder
from tests.support.waiting import wait_until

from .memory.broker import MemoryBroker

pytestmark = pytest.mark.slow

PORT = 6432
CONTEXT = Context(Actor.system("load"), "pytest")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
LINE = OrderLine("BOOK-1", "A book", 1, Money(1, Currency.EUR))
SERVERS = 2


@pytest.fixture
def pgbouncer(service_url: str) -> Iterator[str]:
    """The URL of a PgBouncer in front of the test's database, for the service's role."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed; `apt-get install pgbouncer` brings it")
    target = urlsplit(service_url)
    [host] = parse_qs(target.query).get("host", [target.hostname or "localhost"])
    folder = make_folder("pgbouncer-")
    try:
        (folder / "users.txt").write_text(f'"{target.username}" "{target.password}"\n', encoding="utf-8")
        (folder / "pgbouncer.ini").write_text(
            f"""
            [databases]
            shop = host={host} port={target.port or 5432} dbname={target.path.removeprefix("/")}
            [pgbouncer]
            pool_mode = transaction
            default_pool_size = {SERVERS}
            listen_addr =
            listen_port = {PORT}
            unix_socket_dir = {folder}
            auth_type = scram-sha-256
            auth_file = {folder / "users.txt"}
            """.replace("            ", ""),
            encoding="utf-8",
        )
        # PgBouncer refuses to run as root.
        user = "nobody" if os.geteuid() == 0 else None
        if user:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, user)
        with Path(folder / "log").open("wb") as log:
            process = subprocess.Popen([program, folder / "pgbouncer.ini"], user=user, stdout=log, stderr=log)
        try:
            wait_until(
                lambda: process.poll() is not None or (folder / f".s.PGSQL.{PORT}").exists(), (folder / "log").read_text(encoding="utf-8")
            )
            assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
            yield f"postgresql://{target.username}:{target.password}@/shop?host={folder}&port={PORT}"
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def test_the_service_runs_behind_it_without_prepared_statements(
    pgbouncer: str, database_url: str, cheap_hasher: PasswordHasher
) -> None:
    settings = Settings.model_validate({"database_url": pgbouncer, "pool_max_size": 8, "pool_prepared_statements": False})
    async with open_shop(settings, Adapters(passwords=cheap_hasher, broker=MemoryBroker())) as shop:
        added = await shop.users.register(CONTEXT, ADA, Password("correct horse"))
        assert isinstance(added, Ok)
        user_id = added.value.id

        async def customer() -> None:
            # More often than psycopg executes a statement before it prepares it.
            for _ in range(10):
                placed = await shop.orders.place(CONTEXT, NewOrder(user_id, (LINE,)))
                assert isinstance(placed, Ok)
                assert isinstance(await shop.orders.pay(CONTEXT, placed.value.id), Ok)
                assert isinstance(await shop.reads.order(placed.value.id), Ok)

        await asyncio.gather(*(customer() for _ in range(8)))
        assert shop.relay is not None
        await shop.relay.run_until_empty()
    with psycopg.connect(database_url) as conn:
        counted = conn.execute("""
            SELECT (SELECT count(*) FROM orders WHERE status = 'paid'), (SELECT count(*) FROM outbox WHERE published_at IS NULL),
                   (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename <> current_user)
        """).fetchone()
    assert counted is not None
    assert counted[:2] == (80, 0)
    assert 0 < counted[2] <= SERVERS
