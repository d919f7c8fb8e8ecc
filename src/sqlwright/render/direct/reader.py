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
        self._call: Call | None = None
        self._looking: AbstractEventLoop | None = None
        self._idle = 0

    def open(self, conn: AsyncConnection[Any]) -> bool:
        """Watch the socket on the running loop; return whether that works."""
        loop = get_running_loop()
        if self._loop is loop:
            return True
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

    def start(
        self, conn: AsyncConnection[Any], generator: PQGen[list[PGresult]]
    ) -> Future[list[PGresult]]:
        """Run a generator whenever there is something to read."""
        loop = get_running_loop()
        if self._looking is not loop:
            self._looking = loop
            loop.call_later(LOOK, self._look, loop)
        waiter: Future[list[PGresult]] = loop.create_future()
        # The connection's handlers run in the context of the caller.
        self._call = conn, generator, waiter, copy_context()
        return waiter

    def stop(self) -> None:
        """Let go of the generator."""
        self._call = None
        self._idle = 0

    def _wake(self) -> None:
        if self._call is not None:
            self._advance(*self._call)
            return
        # A cursor's result, a notification, or the end of the connection.
        self._idle += 1
        if self._idle > MAX_IDLE:
            self.close()

    def _advance(
        self,
        conn: AsyncConnection[Any],
        generator: PQGen[list[PGresult]],
        waiter: Future[list[PGresult]],
        context: Context,
    ) -> None:
        if waiter.done():
            return
        try:
            # An error if the connection is closed: the generator must not run then.
            conn.fileno()
            context.run(generator.send, Ready.R)
        except StopIteration as finished:
            waiter.set_result(finished.value)
        except Error as error:
            waiter.set_exception(error)
        except BaseException as error:
            # A notify handler's, or an interrupt: the event loop learns of it too.
            waiter.set_exception(error)
            raise

    def _look(self, loop: AbstractEventLoop) -> None:
        """Wake a call whose connection was closed, of which no event loop tells."""
        if self._looking is not loop:
            return
        if self._call is None:
            self._looking = None
            return
        loop.call_later(LOOK, self._look, loop)
        if self._call[0].closed:
            self._advance(*self._call)

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
async def wait_for(
    conn: AsyncConnection[Any], generator: PQGen[list[PGresult]]
) -> list[PGresult]:
    """Run a generator of psycopg to its end, like `AsyncConnection.wait`."""
    try:
        wanted = next(generator)
    except StopIteration as finished:
        results: list[PGresult] = finished.value
        return results
    reader = find_reader(conn)
    try:
        if wanted == Wait.R and reader.open(conn):
            try:
                return await reader.start(conn, generator)
            finally:
                reader.stop()
        return await conn.wait(generator)
    except (CancelledError, KeyboardInterrupt):
        await abandon(conn, generator)
        raise
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
CALL: Final = """\
Call: TypeAlias = tuple[
    AsyncConnection[Any],
    PQGen[list[PGresult]],
    Future[list[PGresult]],
    Context,
]
"""
READERS: Final = "readers: WeakKeyDictionary[AsyncConnection[Any], Reader] = WeakKeyDictionary()"
ASYNC_NAMES: Final = {
    "asyncio": ("AbstractEventLoop", "CancelledError", "Future", "get_running_loop"),
    "contextlib": ("suppress",),
    "contextvars": ("Context", "copy_context"),
    "weakref": ("finalize",),
    "psycopg": ("AsyncConnection",),
    "psycopg.waiting": ("Ready", "Wait"),
}
