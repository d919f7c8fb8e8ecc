"""The service, as its programs run it: `shop serve`, `shop relay`, and `shop consume` for each consumer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from shop.bootstrap.observability import configure_tracing
from shop.bootstrap.service import Shop, open_shop
from shop.bootstrap.settings import Settings
from shop.demo.client import UnexpectedOutcome
from shop.web.server import Listening, Server, open_server

_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Service:
    """The running service, a client of its server, and the file of its spans."""

    shop: Shop
    http: httpx.AsyncClient
    spans: Path

    async def wait_for_consumers(self) -> None:
        """Return when all events are published and handled. Raises `UnexpectedOutcome`."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while not await self._has_caught_up():  # noqa: ASYNC110 no server says when it is done
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise UnexpectedOutcome(f"the consumers have not handled all events within {_PATIENCE:g} s") from None

    async def _has_caught_up(self) -> bool:
        store = (await self.shop.backlog.measure()).store
        if store is None or store.outbox.pending:
            return False
        # Measured again, since both are measured at once: an event may have been published after the consumers were asked.
        consumers = (await self.shop.backlog.measure()).consumers
        return consumers is not None and not any(consumers.values())


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[Service]:
    """Run the service until the end of the block, and then stop it as at SIGTERM. Raises `DatabaseNotReady`."""
    async with open_shop(settings) as shop:
        spans = Path(settings.trace_file)
        # Not before: the queries that check the database belong to no request.
        configure_tracing(settings.tracing, spans, settings.trace_file_limit)
        async with _messaging(shop), _serving(shop, settings) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
            yield Service(shop, http, spans)


@asynccontextmanager
async def _serving(shop: Shop, settings: Settings) -> AsyncGenerator[str]:
    address = asyncio.get_running_loop().create_future()
    async with open_server(shop, settings, Listening("127.0.0.1", 0), address.set_result, server=_Embedded) as server:
        serving = asyncio.create_task(server.serve())
        try:
            yield f"http://{await address}"
        finally:
            server.should_exit = True
            await serving


class _Embedded(Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the demo."""
        yield


@asynccontextmanager
async def _messaging(shop: Shop) -> AsyncGenerator[None]:
    if shop.relay is None or shop.consumers is None:
        raise UnexpectedOutcome("there is no broker")
    # A consumer that does not exist yet has nothing to wait for: the first message of each is asked for, which creates it.
    await asyncio.gather(*(each.run_once() for each in shop.consumers.values()))
    stop = asyncio.Event()
    programs = [asyncio.create_task(run(stop)) for run in (shop.relay.run, *(each.run for each in shop.consumers.values()))]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*programs)
