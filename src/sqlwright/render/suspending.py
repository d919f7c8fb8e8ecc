"""The module of a package that makes a second query fail while a stream is open on its connection."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.header import header_line

# No query file can have this name: those begin with a letter.
STREAMS_MODULE = "_streams"

_SUSPENDED = '''\
class Suspended:
    """A stream between two of its rows.

    psycopg holds the connection's lock as long as a stream is open, so whoever used the connection for something else would wait, and in
    the same thread or task for ever. Inside this block, that is an error instead.
    """

    def __init__(self, conn: Any, query: str) -> None:
        self._conn = conn
        self._lock = conn.lock
        self._refusing = _Refusing(query)

    def __enter__(self) -> None:
        self._conn.lock = self._refusing

    def __exit__(self, *_: object) -> None:
        self._conn.lock = self._lock
'''
_REFUSING = '''\
class _Refusing:
    """Stands for a lock that cannot be had."""

    def __init__(self, query: str) -> None:
        self._query = query

    def __enter__(self) -> None:
        raise ProgrammingError(
            f"the stream of {self._query} is open on this connection: read it to its end, close it, or use another one"
        )

    async def __aenter__(self) -> None:
        self.__enter__()

    def __exit__(self, *_: object) -> None:
        """Nothing was taken."""

    async def __aexit__(self, *_: object) -> None:
        """Nothing was taken."""
'''


def has_streams(package: ir.Package) -> bool:
    """Return whether the package needs the module."""
    return any(isinstance(query.result, ir.Stream) for module in package.modules for query in module.queries)


def streams_module() -> str:
    """Return the text of the module."""
    builder = ModuleBuilder(header=header_line(), doc="Streams, and who else uses their connections.", taken=())
    builder.name("typing", "Any")
    builder.name("psycopg", "ProgrammingError")
    builder.add_definition(_SUSPENDED.splitlines())
    builder.add_definition(_REFUSING.splitlines())
    return builder.text()
