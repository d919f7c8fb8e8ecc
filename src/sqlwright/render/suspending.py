"""The module of a package that makes a second query fail while a stream is open on its connection."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.header import header_line

# No query file can have this name: those begin with a letter.
STREAMS_MODULE = "_streams"

_SUSPENDED = '''\
class Suspended:
    """The time between two rows of a stream, in which its connection is not free.

    psycopg holds the connection's lock while a stream is open: another use of the
    connection would wait for it, in the same thread or task forever. Inside this
    block, such a use raises an error instead.
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
    """A lock that nobody can acquire: trying raises an error."""

    def __init__(self, query: str) -> None:
        self._query = query

    def __enter__(self) -> None:
        raise ProgrammingError(
            f"the stream of {self._query} is open on this connection:"
            " read it to its end, close it, or use another connection"
        )

    async def __aenter__(self) -> None:
        self.__enter__()

    def __exit__(self, *_: object) -> None:
        """Do nothing: the lock was not acquired."""

    async def __aexit__(self, *_: object) -> None:
        """Do nothing: the lock was not acquired."""
'''


def has_streams(package: ir.Package) -> bool:
    """Return whether the package needs the module."""
    return any(isinstance(query.result, ir.Stream) for module in package.modules for query in module.queries)


def streams_module() -> str:
    """Return the text of the module."""
    builder = ModuleBuilder(header=header_line(), doc="Protection of a stream's connection from other queries.", taken=())
    builder.name("typing", "Any")
    builder.name("psycopg", "ProgrammingError")
    builder.add_definition(_SUSPENDED.splitlines())
    builder.add_definition(_REFUSING.splitlines())
    return builder.text()
