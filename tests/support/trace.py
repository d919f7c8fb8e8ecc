"""The messages between client and server."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Self

import psycopg


class Trace:
    """The messages that a connection sends between client and server."""

    def __init__(self, conn: psycopg.Connection[Any] | psycopg.AsyncConnection[Any], folder: Path) -> None:
        self._pgconn, self._file = conn.pgconn, (folder / "trace").open("w+b")

    def __enter__(self) -> Self:
        self._pgconn.trace(self._file.fileno())
        return self

    def __exit__(self, *_: object) -> None:
        self._pgconn.untrace()
        self._file.seek(0)
        lines = [line.split("\t") for line in self._file.read().decode().splitlines()]
        self._file.close()
        # A line is the direction, the length, the message and its fields; some versions of libpq put the time in front. SQL has lines too.
        starts = [next((index for index, part in enumerate(line) if part in {"F", "B"}), None) for line in lines]
        parts = [line[start:] for line, start in zip(lines, starts, strict=True) if start is not None]
        self.messages = [(part[0], part[2].split(" ")[0]) for part in parts]

    def sent(self) -> list[str]:
        return [message for direction, message in self.messages if direction == "F"]

    def round_trips(self) -> int:
        """Return how often the client sends after the server has sent, and the first time."""
        return sum(direction == "F" for direction, _ in itertools.groupby(self.messages, key=lambda message: message[0]))
