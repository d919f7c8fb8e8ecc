"""How async functions of the module wait: with a reader that stays on the event loop between two calls."""

from __future__ import annotations

from typing import Final

READER: Final = '''\
class Reader:
    """Watches a connection's socket on the event loop, also between two calls.

    To come and go takes longer than to wait. The descriptor is a duplicate, since
    psycopg watches the original, and libpq closes it unasked.
    """

    def __init__(self) -> None:
        self._loop: AbstractEventLoop | None = None
        self._descriptor = -1
        self._process = 0
        self._waiter: Future[None] | None = None
        self._pgconn: PGconn | None = None
        self._context: Context | None = None
        self._looking: AbstractEventLoop | None = None
        self._idle = 0

    def _open(self, conn: AsyncConnection[Any], loop: AbstractEventLoop) -> bool:
        if getattr(conn.wait, "__func__", None) is not AsyncConnection.wait:
            # It has its own, for instance with a limit.
            return False
        self.close()
        try:
            descriptor = os.dup(conn.fileno())
        except (OSError, OperationalError):
            return False
        try:
            loop.add_reader(descriptor, self._wake)
        except (OSError, NotImplementedError):
            os.close(descriptor)
            return False
        self._loop, self._descriptor, self._process = loop, descriptor, os.getpid()
        return True

    def start(self, conn: AsyncConnection[Any]) -> Future[None] | None:
        """Return what is done when a result is there, or None if nobody watches."""
        loop = get_running_loop()
        if self._loop is not loop and not self._open(conn, loop):
            return None
        if self._looking is not loop:
            self._looking = loop
            loop.call_later(LOOK, self._look, loop)
        # The connection's handlers run in the context of the caller.
        self._context = copy_context()
        self._pgconn = conn.pgconn
        self._waiter = waiter = loop.create_future()
        return waiter

    def stop(self) -> None:
        """Wait no longer."""
        self._waiter = self._pgconn = self._context = None
        self._idle = 0

    def _wake(self) -> None:
        if self._context is not None:
            self._context.run(self._read)
            return
        # A cursor's result, a notification, or the end of the connection.
        self._idle += 1
        if self._idle > MAX_IDLE:
            self.close()

    def _read(self) -> None:
        waiter, pgconn = self._waiter, self._pgconn
        if waiter is None or pgconn is None or waiter.done():
            return
        try:
            # An error if the connection is closed.
            pgconn.consume_input()
            if not pgconn.is_busy():
                waiter.set_result(None)
        except Error as error:
            waiter.set_exception(error)
        except BaseException as error:
            # A handler's, or an interrupt: the event loop learns of it too.
            waiter.set_exception(error)
            raise

    def _look(self, loop: AbstractEventLoop) -> None:
        """Wake a call whose connection was closed, of which no event loop tells."""
        if self._looking is not loop:
            return
        if self._pgconn is None:
            self._looking = None
            return
        loop.call_later(LOOK, self._look, loop)
        if self._pgconn.status != ConnStatus.OK:
            self._end()

    def _end(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            # As psycopg says it.
            waiter.set_exception(OperationalError("connection socket closed"))

    def close(self) -> None:
        """Stop watching. Any thread may call it, and a forked process does nothing."""
        loop, self._loop = self._loop, None
        if loop is None or self._process != os.getpid():
            return
        if loop.is_running():
            try:
                loop.call_soon_threadsafe(stop_watching, loop, self._descriptor)
            except RuntimeError:
                os.close(self._descriptor)
        else:
            stop_watching(loop, self._descriptor)
'''
ASYNC_HELPERS: Final = (
    '''\
def stop_watching(loop: AbstractEventLoop, descriptor: int) -> None:
    """Take a descriptor from its event loop and close it."""
    if not loop.is_closed():
        loop.remove_reader(descriptor)
    os.close(descriptor)
''',
    '''\
def find_reader(conn: AsyncConnection[Any]) -> Reader:
    """Return the reader of a connection; it is closed when the connection is gone."""
    reader = readers.get(conn)
    if reader is None:
        reader = readers[conn] = Reader()
        finalize(conn, reader.close).atexit = False
    return reader
''',
    '''\
def take_result(pgconn: PGconn) -> PGresult | None:
    """Hand on notifications as psycopg does, and return the result that is there."""
    while (notification := pgconn.notifies()) is not None:
        if pgconn.notify_handler is not None:
            pgconn.notify_handler(notification)
    return pgconn.get_result()
''',
    '''\
async def take_others(
    conn: AsyncConnection[Any], result: PGresult | None
) -> list[PGresult]:
    """Return a result that is an error, or not alone, with what follows it."""
    results = [] if result is None else [result]
    try:
        results += await conn.wait(generators.fetch_many(conn.pgconn))
    except Error:
        # If the server said why it closes the connection, that is the error.
        if find_failed(results) is None:
            raise
    return results
''',
    '''\
async def abandon(conn: AsyncConnection[Any], generator: PQGen[list[PGresult]]) -> None:
    """Cancel the query on the server and fetch what it still sends."""
    if conn.pgconn.transaction_status == ACTIVE:
        with suppress(Exception):
            await conn.cancel_safe(timeout=CANCEL_TIMEOUT)
        with suppress(Exception):
            await conn.wait(generator, timeout=CANCEL_TIMEOUT)
''',
)
LIMITS: Final = """\
# Seconds between two looks at whether a connection is closed under a call.
LOOK = 0.1
# How often a socket may be readable between two calls and still be watched.
MAX_IDLE = 8
# Seconds, as for psycopg's own calls.
CANCEL_TIMEOUT = 5.0
"""
READERS: Final = "readers: WeakKeyDictionary[AsyncConnection[Any], Reader] = WeakKeyDictionary()"
ASYNC_NAMES: Final = {
    "asyncio": ("AbstractEventLoop", "CancelledError", "Future", "get_running_loop"),
    "contextlib": ("suppress",),
    "contextvars": ("Context", "copy_context"),
    "weakref": ("finalize",),
    "psycopg": ("AsyncConnection",),
}
