"""The resources that the packages of a run share while they are proven: one server, and one scratch database for each schema.

Everything is opened on first use, since usually every proof is on record; psycopg and the prover are imported only then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

from sqlwright.diagnostics import CompileError
from sqlwright.postgres.server import URL_VARIABLE, Server, ServerUnavailable, postgres_server
from sqlwright.prove.scratch.schema import Schema

if TYPE_CHECKING:
    from sqlwright.prove.prover import Session

OpenServer: TypeAlias = Callable[[], AbstractContextManager[Server]]


class Sessions:
    """The server of a run and its sessions with scratch databases; a context manager, which closes them all.

    A failure is not retried: the other packages over the same schema get the same error at once. `embedded`: the server is the embedded
    one.
    """

    def __init__(self, open_server: OpenServer, *, embedded: bool) -> None:
        self.embedded = embedded
        self._open_server = open_server
        self._stack = ExitStack()
        self._server: Server | ServerUnavailable | None = None
        self._sessions: dict[tuple[str, bool], Session | CompileError] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    def server(self) -> Server:
        """Return the server.

        Raises:
            ServerUnavailable: there is none.
        """
        if self._server is None:
            try:
                self._server = self._stack.enter_context(self._open_server())
            except ServerUnavailable as error:
                self._server = error
        if isinstance(self._server, ServerUnavailable):
            raise self._server
        return self._server

    def over(self, schema: Schema, *, nullable_elements: bool) -> Session:
        """Return the session with a database that holds the schema; `nullable_elements` is what the user says of arrays in tables.

        Raises:
            CompileError: PostgreSQL refuses one of the schema files.
            ServerUnavailable: there is no server.
        """
        from sqlwright.prove.prover import connected, open_session

        key = (schema.digest, nullable_elements)
        if key not in self._sessions:
            server = self.server()
            try:
                with connected():
                    self._sessions[key] = self._stack.enter_context(open_session(server, schema, nullable_elements=nullable_elements))
            except CompileError as error:
                self._sessions[key] = error
        found = self._sessions[key]
        if isinstance(found, CompileError):
            raise found
        return found


def open_sessions(project: Path, environ: Mapping[str, str]) -> Sessions:
    """Return the sessions in which the packages of a project are proven."""
    return Sessions(lambda: postgres_server(project, environ), embedded=not environ.get(URL_VARIABLE))
