"""`python -m tests.shop.faults --operations 100000 --seed 1`: a campaign on servers of its own; exits with 1 if it finds anything."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import subprocess
import sys
import sysconfig
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from shop.local_servers import nats_server, redis_server
from sqlwright.postgres import embedded
from tests.support.servers import make_folder

from .campaign import Report, Scale, run

_MIGRATIONS = Path(__file__).parents[3] / "migrations"


def main() -> int:
    """Run a campaign, and print its report."""
    parser = argparse.ArgumentParser(prog="python -m tests.shop.faults", description=__doc__)
    parser.add_argument("--operations", type=int, default=10_000, help="operations in all")
    parser.add_argument("--seed", type=int, default=1, help="faults and clients draw from it")
    parser.add_argument("--minutes", type=float, default=30, help="no operation begins later")
    arguments = parser.parse_args()
    # Outages are what this is about.
    logging.disable(logging.CRITICAL)
    scale = Scale(arguments.operations, arguments.seed, seconds=arguments.minutes * 60)
    folder = make_folder("faults-")
    folder.chmod(0o755)
    try:
        report = _run_on_own_servers(folder, scale)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"{report}\n")
    return 1 if report.violations else 0


def _run_on_own_servers(folder: Path, scale: Scale) -> Report:
    with ExitStack() as stack:
        stack.enter_context(embedded.running(folder))
        admin_url = embedded.url(folder, "postgres")
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute("CREATE DATABASE shop")
        database_url = urlsplit(admin_url)._replace(path="/shop").geturl()
        dbmate = Path(sysconfig.get_path("scripts")) / "dbmate"
        migrate: list[str | Path] = [dbmate, "--no-dump-schema", "--migrations-dir", _MIGRATIONS, "--url", database_url, "up"]
        subprocess.run(migrate, check=True, stdout=subprocess.DEVNULL)
        redis = stack.enter_context(redis_server(folder))
        # The server is not killed, so nothing depends on its disk.
        nats = stack.enter_context(nats_server(folder, sync_interval="1m"))
        return asyncio.run(run(database_url, redis.url, nats.url, scale))


if __name__ == "__main__":
    raise SystemExit(main())
