"""A connection to NATS: established on first use, and again after a loss."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from shop.application.cancellation import cancellation_first
from shop.application.messaging.broker import BrokerUnavailable
from shop.infrastructure.nats.client import EventClient

_log = logging.getLogger("shop.nats")

_CONNECT_TIMEOUT = 2.0
# A connection on which nothing arrives is replaced at the third ping that the server would have to answer.
_UNANSWERED_PINGS = 2
Config: TypeAlias = dict[str, Any]
"""A part of the JetStream API, with all of its members; times are in nanoseconds."""

# Every error of the client and of the broker's API is one of these.
UNAVAILABLE = (nats.errors.Error, TimeoutError, OSError)


class NatsConnection:
    """A connection to the server at a URL. `answer_within` is the time for an answer in seconds."""

    def __init__(self, url: str, *, answer_within: float, ping_interval: float) -> None:
        self.answer_within = answer_within
        self._url = url
        self._ping_interval = ping_interval
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._is_closing = False

    async def client(self) -> Client:
        """Connect if necessary, and return the client. Raises `BrokerUnavailable`."""
        async with self._connecting:
            if self._client is None or self._client.is_closed:
                self._client = await self._connect()
            return self._client

    async def jetstream(self) -> JetStreamContext:
        """Connect if necessary, and return the JetStream API. Raises `BrokerUnavailable`."""
        return JetStreamContext(await self.client(), timeout=self.answer_within)

    async def api(self, request: str, body: Mapping[str, object] | None = None) -> Config:
        """Send a request to the JetStream API, and return the answer as it is: the client's own calls drop what it does not know.

        Raises `BrokerUnavailable`, or an error of `UNAVAILABLE`, which is `APIError` for an answer that says what is wrong.
        """
        client = await self.client()
        answer = await client.request(f"$JS.API.{request}", json.dumps(body or {}).encode(), timeout=self.answer_within)
        response: Config = json.loads(answer.data)
        if "error" in response:
            raise nats.js.errors.APIError.from_error(response["error"])
        return response

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._client is not None and self._client.is_connected

    async def close(self) -> None:
        """Close the connection."""
        self._is_closing = True
        if self._client is not None:
            with ignored():
                await self._client.close()

    async def _log_disconnected(self) -> None:
        if not self._is_closing:
            _log.info("disconnected")

    async def _connect(self) -> Client:
        self._is_closing = False
        client = EventClient()
        was_connected = False

        async def failed(error: Exception) -> None:
            if not was_connected:
                # The client would retry until the timeout. Callers retry themselves, and know for how long.
                raise error
            # Later it has to retry; an exception here would end that.
            _log.debug("connection: %s", sentence(error))

        try:
            with translated():
                async with asyncio.timeout(_CONNECT_TIMEOUT):
                    await client.connect(
                        self._url,
                        name="shop",
                        connect_timeout=1,
                        # Unlimited: callers have their own timeouts.
                        max_reconnect_attempts=-1,
                        ping_interval=self._ping_interval,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] the client takes any number
                        max_outstanding_pings=_UNANSWERED_PINGS,
                        reconnect_time_wait=0.1,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] the client takes any number
                        error_cb=failed,
                        disconnected_cb=self._log_disconnected,
                        reconnected_cb=_log_reconnected,
                    )
                was_connected = True
        except BaseException:
            # Also if cancelled: the client would retry.
            self._is_closing = True
            with ignored():
                await client.close()
            raise
        return client


@contextmanager
def translated() -> Generator[None]:
    """Raise `BrokerUnavailable` where the client or the broker's API fails."""
    try:
        with cancellation_first():
            yield
    except UNAVAILABLE as error:
        raise BrokerUnavailable(sentence(error)) from error


@contextmanager
def ignored() -> Generator[None]:
    """Ignore that the client or the broker's API fails."""
    with suppress(*UNAVAILABLE), cancellation_first():
        yield


def sentence(error: BaseException) -> str:
    """Return what is wrong, in words."""
    if isinstance(error, TimeoutError):
        return "NATS does not answer in time"
    if isinstance(error, nats.errors.NoRespondersError):
        return "JetStream is not enabled on the server, or does not answer"
    if isinstance(error, nats.js.errors.APIError) and error.description is None:
        # The answer to a request for messages has a status alone.
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__.removesuffix("Error")).lower()
    return str(error) or type(error).__name__


async def _log_reconnected() -> None:
    _log.info("connected again")
