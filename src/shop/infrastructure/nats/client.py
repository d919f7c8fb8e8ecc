"""nats-py's client, which receives events whatever their headers are, recovers from late answers, and requires TLS where the URL does."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# nats-py types its members partially.

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.transport import TcpTransport
from nats.errors import Error

_log = logging.getLogger("shop.nats")

# By that, and not by the headers, which their publisher wrote, a message of a stream differs from a status message of the server.
_FROM_A_STREAM: Final = b"$JS.ACK."
_CLOSE_TIMEOUT: Final = 2.0
_TRACEPARENT: Final = re.compile(rb"\r\n(traceparent: ?[0-9a-f-]{1,128})\r\n")


class EventClient(Client):
    """A client that reads one header of an event, and ignores all others.

    nats-py stops reading where it cannot parse headers, and takes an event whose headers have a status for a message of the server. The
    event would be redelivered for ever, and none behind it would arrive.

    Where nats-py stops reading without having lost the connection, as at what it cannot parse, it would count as connected and receive
    nothing more. This client connects again.

    To a URL `tls://` it says nothing without TLS. nats-py begins TLS only if the server asks for it, in its first line, which is not
    encrypted; and the next line is CONNECT, with the password.
    """

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002 the client's signature
        server = self._current_server
        if initial_connection and server is not None and server.uri.scheme == "tls":
            info["tls_required"] = True
            # Other servers, which anybody on the network might have named.
            info.pop("connect_urls", None)
        await super()._process_info(info, initial_connection)

    async def _process_connect_init(self) -> None:
        # After a connection whose first flush was not answered nats-py would read from both.
        for task in (self._reading_task, self._ping_interval_task, self._flusher_task):
            if task is not None:
                task.cancel()
        try:
            await super()._process_connect_init()
        except BaseException:
            # After TLS has failed nats-py would wait for ever for the end of the connection.
            if self._transport is not None:
                self._transport.close()  # type: ignore[no-untyped-call] # nats-py types it partially
                self._transport = TcpTransport()  # type: ignore[no-untyped-call] # as above
            raise

    def _connect_command(self) -> bytes:
        server, transport = self._current_server, self._transport
        if server is not None and server.uri.scheme == "tls" and not _is_encrypted(transport):
            raise Error("the connection is not encrypted")
        command: bytes = super()._connect_command()
        return command

    async def _process_pong(self) -> None:
        # That of a flush that timed out or was cancelled: nats-py would fail to complete it, and stop reading.
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.Future()
        await super()._process_pong()

    async def _read_loop(self) -> None:
        await super()._read_loop()
        # Otherwise the connection was lost or closed, or there is another.
        if self.is_connected and asyncio.current_task() is self._reading_task:
            _log.warning("the client of NATS has stopped reading, and connects again")
            await self._process_op_err(Error("the client has stopped reading"))

    async def _process_op_err(self, e: Exception) -> None:
        if not (self.is_closed or self.is_reconnecting):
            # nats-py would wait until all is written, which a server that reads nothing prevents.
            self._abort()
        await super()._process_op_err(e)

    async def _close(self, status: int, do_cbs: bool = True) -> None:  # noqa: FBT001, FBT002 the client's signature
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await super()._close(status, do_cbs)
        except TimeoutError:
            # As above.
            self._abort()

    def _abort(self) -> None:
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        if headers and reply.startswith(_FROM_A_STREAM):
            found = _TRACEPARENT.search(headers)
            headers = b"NATS/1.0\r\n" + found[1] + b"\r\n\r\n" if found else b""
        await super()._process_msg(sid, subject, reply, data, headers)


def _is_encrypted(transport: Any) -> bool:
    # Whatever a later version of nats-py does between the first line and this.
    writer = getattr(transport, "_io_writer", None)
    return writer is not None and writer.get_extra_info("ssl_object") is not None
