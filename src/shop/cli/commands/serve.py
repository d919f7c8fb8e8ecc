"""`shop serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shop.cli.output import ExitCode, Problem
from shop.cli.running import session

if TYPE_CHECKING:
    from shop.bootstrap.service import Shop


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    unix_socket: Annotated[str | None, typer.Option(help="Path of a Unix socket to listen on instead.")] = None,
) -> None:
    """Serve HTTP until stopped by SIGTERM or SIGINT: requests that were accepted are answered first."""
    # Imported here: no other command needs a web framework, nor does the help.
    from shop.bootstrap.settings import trusted_networks
    from shop.web.server import CannotListen, Listening, TooFewFiles, open_server

    here = session(context)
    settings = here.settings().settings
    listening = Listening(host, port, unix_socket, trusted_networks(settings.http_trusted_proxies))

    def announce(address: str) -> None:
        here.output.note(f"serving on {address}; stop with Ctrl-C")

    async def work(shop: Shop) -> None:
        try:
            async with open_server(shop, settings, listening, announce) as server:
                await server.serve()
        except (CannotListen, TooFewFiles) as error:
            raise here.failed(Problem("settings", "Settings", 500, str(error), ExitCode.SETTINGS)) from error

    here.run(work, is_traced=False, waits=True)
