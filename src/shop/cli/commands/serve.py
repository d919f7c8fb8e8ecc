"""`shop serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shop.bootstrap import Shop, health_checks
from shop.cli.running import session


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    unix_socket: Annotated[Path | None, typer.Option(help="Path of a Unix socket to listen on instead.")] = None,
) -> None:
    """Serve HTTP until stopped by SIGTERM or SIGINT: requests that were accepted are answered first."""
    # Imported here: no other command needs a web framework.
    from shop.web.app import create_app
    from shop.web.middleware import Limits
    from shop.web.server import Listening, Server
    from shop.web.state import State

    here = session(context)
    settings = here.settings().settings
    listening = Listening(host, port, None if unix_socket is None else str(unix_socket), settings.http_trusted_proxies)

    async def work(shop: Shop) -> None:
        async with health_checks(settings) as checks:
            state = State(checks)
            app = create_app(shop, state, Limits(settings.http_body_limit, settings.http_request_timeout))
            here.output.note(f"serving on {listening.unix_socket or f'{host}:{port}'}; stop with Ctrl-C")
            await Server(app, state, listening, drain=settings.http_drain, patience=settings.http_request_timeout).serve()

    here.run(work, is_traced=False)
