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

from shop.local_servers import nats_server, redis_server
from sqlwright.postgres import embedded
from tests.support.servers import make_folder

from .campaign import Report, Scale, run
from .lag import running_lagging_pair

_MIGRATIONS = Path(__file__).parents[3] / "migrations"


def main() -> int:
    """Run a campaign, and print its report."""
    parser = argparse.ArgumentParser(prog="python -m tests.shop.faults", description=__doc__)
    parser.add_argument("--operations", type=int, default=10_000, help="operations in all")
    parser.add_argument("--seed", type=int, default=1, help="faults and clients draw from it")
    parser.add_argument("--lag", type=int, default=150, help="milliseconds by which the standby is behind")
    parser.add_argument("--minutes", type=float, default=30, help="no operation begins later")
    arguments = parser.parse_args()
    # Outages are what this is about.
    logging.disable(logging.CRITICAL)
    scale = Scale(arguments.operations, arguments.seed, seconds=arguments.minutes * 60)
    folder = make_folder("faults-")
    folder.chmod(0o755)
    try:
        report = _run_on_own_servers(folder, scale, arguments.lag)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"{report}\n")
    return 1 if report.violations else 0


def _run_on_own_servers(folder: Path, scale: Scale, lag: int) -> Report:
    with ExitStack() as stack:
        with embedded.running(folder):
            # Whoever runs it lets the server's user reach the programs.
            pass
        pair = stack.enter_context(running_lagging_pair(lag))
        dbmate = Path(sysconfig.get_path("scripts")) / "dbmate"
        migrate: list[str | Path] = [dbmate, "--no-dump-schema", "--migrations-dir", _MIGRATIONS, "--url", pair.primary.url, "up"]
        subprocess.run(migrate, check=True, stdout=subprocess.DEVNULL)
        redis = stack.enter_context(redis_server(folder))
        # The server is not killed, so nothing depends on its disk.
        nats = stack.enter_context(nats_server(folder, sync_interval="1m"))
        return asyncio.run(run(pair.primary.url, redis.url, nats.url, scale, pair.standby.url))


if __name__ == "__main__":
    raise SystemExit(main())
