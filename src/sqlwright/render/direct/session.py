"""What the functions of the module share: what is kept of a connection, and the steps of a call."""

from __future__ import annotations

from typing import Final

SESSION: Final = '''\
class Session:
    """What is kept of a connection between two calls; the context of transformers.

    A reference from a transformer would keep the connection alive: it gets a proxy.
    """

    def __init__(self, conn: BaseConnection[Any], names: Names) -> None:
        self.connection: Any = proxy(conn)
        self.adapters = conn.adapters
        self.names = names
        # Once copied, a map changes copies of its dictionaries: a change shows.
        self._loaders, self._dumpers = get_classes(conn.adapters)
        self._seen_loaders, self._seen_dumpers = get_classes(AdaptersMap(conn.adapters))
        self._spare: list[Loan] = []

    def is_current(self, pgconn: PGconn) -> bool:
        """Return whether the connection has the adapters and the encoding of before."""
        return (
            self._loaders == self._seen_loaders
            and self._dumpers == self._seen_dumpers
            and pgconn.parameter_status(b"client_encoding") == b"UTF8"
        )

    def lend(self) -> Loan:
        """Return a transformer that no other thread or task has."""
        try:
            return self._spare.pop()
        except IndexError:
            zone = self.connection.pgconn.parameter_status(b"TimeZone")
            return Transformer(self), zone

    def give_back(self, loan: Loan) -> None:
        """Keep a transformer for the next call, without its result."""
        loan[0].set_pgresult(None)
        if not self._spare:
            self._spare.append(loan)

    def load(
        self, loan: Loan, pgconn: PGconn, result: PGresult, count: int, binary: bool
    ) -> list[tuple[Any, ...]]:
        """Return the first rows of a result, and take the transformer back.

        Loaders read settings of the session when they are made: those of the binary
        format the time zone, those of the text format more, so they are not kept.
        """
        transformer, zone = loan
        now = pgconn.parameter_status(b"TimeZone")
        if now != zone or not binary:
            transformer = Transformer(self)
        transformer.set_pgresult(result)
        rows = transformer.load_rows(0, count, tuple)
        if binary:
            self.give_back((transformer, now))
        else:
            self.give_back(loan)
        return rows
'''
FIND_SESSION: Final = '''\
def find_session(conn: BaseConnection[Any]) -> Session | None:
    """Return what is kept of a connection, or None where every call takes a cursor.

    psycopg forgets what it has prepared when a ROLLBACK, a DISCARD or an ALTER passes
    by, and tells of it only here. Should a version of psycopg keep it elsewhere, or
    its adapters, all calls take cursors.
    """
    pgconn = conn.pgconn
    if pgconn.status != OK:
        return None
    session = sessions.get(conn)
    if session is not None and session.is_current(pgconn):
        return session
    names: object = getattr(getattr(conn, "_prepared", None), "_names", None)
    loaders, dumpers = get_classes(conn.adapters)
    if not isinstance(names, OrderedDict):
        return None
    if not (isinstance(loaders, list) and isinstance(dumpers, dict)):
        return None
    if pgconn.parameter_status(b"client_encoding") != b"UTF8":
        return None
    session = sessions[conn] = Session(conn, cast("Names", names))
    return session
'''
GET_CLASSES: Final = '''\
def get_classes(adapters: AdaptersMap) -> tuple[object, object]:
    """Return the dictionaries of loader and dumper classes."""
    return getattr(adapters, "_loaders", None), getattr(adapters, "_dumpers", None)
'''
CAN_SEND: Final = '''\
def can_send(conn: BaseConnection[Any], status: int) -> bool:
    """Return whether the connection is in a state for a call without a cursor."""
    if conn.prepare_threshold is None or conn.pgconn.pipeline_status:
        return False
    if status == IDLE:
        return conn.autocommit or capabilities.has_pipeline()
    return status == INTRANS
'''
SEND: Final = '''\
def send(
    conn: BaseConnection[Any],
    status: int,
    name: bytes,
    values: Sequence[Buffer | None],
    formats: Sequence[int] | None,
    binary: bool,
) -> PQGen[list[PGresult]]:
    """Send a prepared statement and return the generator that fetches its results.

    A BEGIN that is due goes with it, in one round trip.
    """
    pgconn = conn.pgconn
    if status != IDLE or conn.autocommit:
        pgconn.send_query_prepared(name, values, formats, binary)
        generator: PQGen[list[PGresult]] = generators.execute(pgconn)
        return generator
    begin = get_begin(conn)
    pgconn.enter_pipeline_mode()
    pgconn.send_query_params(begin, None)
    pgconn.send_query_prepared(name, values, formats, binary)
    pgconn.pipeline_sync()
    return fetch_pipeline(pgconn)
'''
GET_BEGIN: Final = '''\
def get_begin(conn: BaseConnection[Any]) -> bytes:
    """Return the statement with which psycopg begins a transaction."""
    words = ["BEGIN"]
    if conn.isolation_level is not None:
        words += ["ISOLATION LEVEL", conn.isolation_level.name.replace("_", " ")]
    if conn.read_only is not None:
        words.append("READ ONLY" if conn.read_only else "READ WRITE")
    if conn.deferrable is not None:
        words.append("DEFERRABLE" if conn.deferrable else "NOT DEFERRABLE")
    return " ".join(words).encode()
'''
FETCH_PIPELINE: Final = '''\
def fetch_pipeline(pgconn: PGconn) -> PQGen[list[PGresult]]:
    """Fetch the results of BEGIN, of a statement, and of their synchronization."""
    yield from generators.send(pgconn)
    results: list[PGresult] = []
    try:
        for _ in range(3):
            results += yield from generators.fetch_many(pgconn)
    except OperationalError:
        # If the server said why it closes the connection, that is the error.
        if find_failed(results) is None:
            raise
    return results
'''
LEAVE: Final = '''\
def leave(pgconn: PGconn) -> None:
    """Leave the pipeline; close a connection on which results were not fetched."""
    if pgconn.transaction_status == ACTIVE:
        pgconn.finish()
    elif pgconn.pipeline_status and pgconn.status == OK:
        pgconn.exit_pipeline_mode()
'''
FIND_FAILED: Final = '''\
def find_failed(results: list[PGresult]) -> PGresult | None:
    """Return the first result that is an error."""
    for result in results:
        if result.status not in SUCCESSES:
            return result
    return None
'''
IS_OUTDATED: Final = '''\
def is_outdated(error: Error) -> bool:
    """Return whether the server has dropped a statement, or its types have changed.

    The statement was not executed then.
    """
    if error.sqlstate == "0A000":
        return error.diag.source_function == "RevalidateCachedQuery"
    return error.sqlstate == "26000"
'''
HELPERS: Final = (
    FIND_SESSION,
    GET_CLASSES,
    CAN_SEND,
    SEND,
    GET_BEGIN,
    FETCH_PIPELINE,
    LEAVE,
    FIND_FAILED,
    IS_OUTDATED,
)
TYPES: Final = """\
Names: TypeAlias = OrderedDict[tuple[bytes, tuple[int, ...]], bytes]
Loan: TypeAlias = tuple[abc.Transformer, bytes | None]
"""
STATES: Final = """\
AUTO = PyFormat.AUTO
DUMP_ERRORS = (
    Error,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
OK = ConnStatus.OK
IDLE, ACTIVE = TransactionStatus.IDLE, TransactionStatus.ACTIVE
INTRANS, INERROR = TransactionStatus.INTRANS, TransactionStatus.INERROR
SUCCESSES = frozenset(
    {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK, ExecStatus.PIPELINE_SYNC}
)
"""
SESSIONS: Final = "sessions: WeakKeyDictionary[BaseConnection[Any], Session] = WeakKeyDictionary()"
NAMES: Final = {
    "collections": ("OrderedDict",),
    "collections.abc": ("Sequence",),
    "typing": ("Any", "LiteralString", "TypeAlias", "cast"),
    "weakref": ("WeakKeyDictionary", "proxy"),
    "psycopg": ("BaseConnection", "Error", "OperationalError", "abc", "capabilities", "generators"),
    "psycopg.abc": ("Buffer", "PQGen"),
    "psycopg.adapt": ("AdaptersMap", "PyFormat", "Transformer"),
    "psycopg.errors": ("error_from_result",),
    "psycopg.pq": ("ConnStatus", "ExecStatus", "TransactionStatus"),
    "psycopg.pq.abc": ("PGconn", "PGresult"),
}
