"""The module of a package in which a stream holds its connection, and leaves it as other statements do."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.header import header_line

# No query file can have this name: those begin with a letter.
STREAMS_MODULE = "_streams"

# libpq forgets the mode of a stream as the next statement begins, but not where it begins in a pipeline (PQsendQueryStart, libpq 14 to 18).
# It looks at the number of parameters after it has forgotten the mode, and before it sends anything. An empty statement would be one more
# round trip, which a cancellation can interrupt.
_REFUSED = """\
# libpq refuses so many parameters: their number has 16 bits.
REFUSED = (0,) * 2**16
"""
_STREAMING = '''\
class Streaming:
    """A block in which a stream has its connection, whose lock is held.

    psycopg's stream asks for the lock, which it gets. Any other use of the connection
    would wait for it, in the same thread or task forever: it raises an error instead.
    """

    def __init__(self, conn: Any, query: str) -> None:
        self._conn = conn
        self._lock = conn.lock
        self._busy = _Busy(query)

    def __enter__(self) -> None:
        self._conn.lock = self._busy

    def __exit__(self, *_: object) -> None:
        try:
            _end(self._conn.pgconn)
        finally:
            self._conn.lock = self._lock

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()
'''
_END = '''\
def _end(pgconn: PGconn) -> None:
    """Make the rows of the next statement come as usual, also in a pipeline.

    libpq forgets that rows are streamed when a statement begins outside of a pipeline,
    even one that it refuses. Nothing is sent.
    """
    if pgconn.pipeline_status:
        # psycopg has refused to stream.
        return
    if pgconn.transaction_status == TransactionStatus.ACTIVE:
        # An interruption has left rows, for which nobody waits.
        pgconn.finish()
        return
    with suppress(OperationalError):
        pgconn.send_prepare(b"", b"", REFUSED)
'''
_BUSY = '''\
class _Busy:
    """A lock for the thread that made it, once: another attempt raises an error."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._owner: int | None = get_ident()

    def __enter__(self) -> None:
        if self._owner == get_ident():
            self._owner = None
            return
        raise ProgrammingError(
            f"the stream of {self._query} is open on this connection:"
            " read it to its end, close it, or use another connection"
        )

    async def __aenter__(self) -> None:
        self.__enter__()

    def __exit__(self, *_: object) -> None:
        """Do nothing: the stream's block holds the lock of the connection."""

    async def __aexit__(self, *_: object) -> None:
        """Do nothing: the stream's block holds the lock of the connection."""
'''


def has_streams(package: ir.Package) -> bool:
    """Return whether the package needs the module."""
    return any(isinstance(query.result, ir.Stream) for module in package.modules for query in module.queries)


def streams_module() -> str:
    """Return the text of the module."""
    builder = ModuleBuilder(header=header_line(), doc="What a stream does with its connection.", taken=())
    builder.name("contextlib", "suppress")
    builder.name("threading", "get_ident")
    builder.name("typing", "Any")
    builder.name("psycopg", "OperationalError")
    builder.name("psycopg", "ProgrammingError")
    builder.name("psycopg.pq", "TransactionStatus")
    builder.name("psycopg.pq.abc", "PGconn")
    builder.add_constant(_REFUSED.splitlines())
    for definition in (_STREAMING, _BUSY, _END):
        builder.add_definition(definition.splitlines())
    return builder.text()
