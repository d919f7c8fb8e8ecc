"""PostgreSQL's protocol, as far as a proxy has to read it to know when a transaction is being committed."""

from __future__ import annotations

import re
from typing import Final

# As a statement of its own, or the last one of a simple query. COMMIT PREPARED is not one of this transaction.
_COMMIT: Final = re.compile(rb"(?:^|;)\s*(?:COMMIT|END)(?:\s+(?:WORK|TRANSACTION))?\s*;?\s*$", re.IGNORECASE)
_LENGTH: Final = 4


class Frames:
    """Splits a stream into messages: a byte for the kind, and a length that includes itself. A client's first one has no kind."""

    def __init__(self, *, is_client: bool) -> None:
        self._rest = b""
        self._kind = 0 if is_client else 1

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete with this data."""
        self._rest += data
        found: list[bytes] = []
        while len(self._rest) >= self._kind + _LENGTH:
            size = self._kind + int.from_bytes(self._rest[self._kind : self._kind + _LENGTH], "big")
            if len(self._rest) < size:
                break
            found.append(self._rest[:size])
            self._rest = self._rest[size:]
            self._kind = 1
        return found


class Commits:
    """Recognises the client's message at which the server commits: a simple query, or the execution of a portal of COMMIT."""

    def __init__(self) -> None:
        self._statements: dict[bytes, bool] = {}
        self._portals: dict[bytes, bool] = {}

    def is_commit(self, frame: bytes) -> bool:
        """Read the next message of the client."""
        words = frame[5:].split(b"\0", 2)
        match frame[:1]:
            case b"Q":
                return _COMMIT.search(words[0]) is not None
            case b"P":
                self._statements[words[0]] = _COMMIT.search(words[1]) is not None
            case b"B":
                self._portals[words[0]] = self._statements.get(words[1], False)
            case b"E":
                return self._portals.get(words[0], False)
            case _:
                pass
        return False


def ends_commit(frame: bytes) -> bool:
    """Return whether this is the server's answer to COMMIT: it was done, or everything was rolled back."""
    return (frame[:1] == b"C" and frame[5:] in {b"COMMIT\0", b"ROLLBACK\0"}) or frame[:1] == b"E"
