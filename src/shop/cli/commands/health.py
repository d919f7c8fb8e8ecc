"""`shop health`."""

from __future__ import annotations

from dataclasses import asdict

import typer

from shop.application.health import Health, check_health
from shop.bootstrap import health_checks
from shop.cli.output import ExitCode
from shop.cli.running import session


def health(context: typer.Context) -> None:
    """Check the service and its dependencies. Exit status 0 if the service can work, else 69."""
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
