"""nats-py's client, which receives events whatever their headers are."""

from __future__ import annotations

import re
from typing import Final

from nats.aio.client import Client

# By that, and not by the headers, which their publisher wrote, a message of a stream differs from a status message of the server.
_FROM_A_STREAM: Final = b"$JS.ACK."
_TRACEPARENT: Final = re.compile(rb"\r\n(traceparent: ?[0-9a-f-]{1,128})\r\n")


class EventClient(Client):
    """A client that reads one header of an event, and ignores all others.

    nats-py stops reading where it cannot parse headers, and takes an event whose headers have a status for a message of the server. The
    event would be redelivered for ever, and none behind it would arrive.
    """

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        if headers and reply.startswith(_FROM_A_STREAM):
            found = _TRACEPARENT.search(headers)
            headers = b"NATS/1.0\r\n" + found[1] + b"\r\n\r\n" if found else b""
        await super()._process_msg(sid, subject, reply, data, headers)
