"""`shop health`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from shop.cli.output import ExitCode
from shop.cli.running import session

if TYPE_CHECKING:
    from shop.application.health import Health


def health(context: typer.Context) -> None:
    """Check the service and its dependencies. Exit status 0 if the service can work, else 69."""
    from shop.application.health import check_health
    from shop.bootstrap.checks import health_checks

    here = session(context)
    settings = here.settings().settings

    async def check() -> Health:
        async with health_checks(settings) as checks:
            return await check_health(checks)

    checked = here.complete(check)
    rows = [{**asdict(finding), "state": "healthy" if finding.is_healthy else "UNHEALTHY"} for finding in checked.findings]
    here.output.listing(rows, columns=["name", "state", "detail", "milliseconds"])
    if not checked.is_ready:
        raise typer.Exit(ExitCode.UNAVAILABLE)
