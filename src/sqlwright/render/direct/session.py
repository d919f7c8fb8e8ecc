"""What the functions of the module share: what is kept of a connection, and the steps of a call."""

from __future__ import annotations

from typing import Final

SESSION: Final = '''\
class Session:
    """What is kept of a connection between two calls; the context of transformers.

    A reference from a transformer would keep the connection alive: it gets a proxy.
    """

    __slots__ = (
        "adapters",
        "connection",
        "dump_json",
        "dumpers",
        "keeps",
        "load_json",
        "loaders",
        "names",
        "prepared",
$slot        "seen_dumpers",
        "seen_loaders",
        "spare",
    )

    def __init__(self, conn: BaseConnection[Any], prepared: Any, names: Names) -> None:
        self.connection: Any = proxy(conn)
        self.adapters = conn.adapters
        self.prepared = prepared
        self.names = names
        # Once copied, a map changes copies of its dictionaries: a change shows.
        self.loaders, self.dumpers = get_classes(conn.adapters)
        self.seen_loaders, self.seen_dumpers = get_classes(AdaptersMap(conn.adapters))
        self.keeps = are_stateless(self.loaders, self.dumpers)
        self.load_json = getattr(JsonLoader, "_loads", None)
        self.dump_json = getattr(JsonDumper, "_dumps", None)
        self.spare: list[Loan] = []
$reader
    def give_back(self, loan: Loan) -> None:
        """Keep a transformer for the next call, without its result."""
        if self.keeps and not self.spare and loan[1][0] == b"UTF8":
            loan[0].set_pgresult(None)
            self.spare.append(loan)
'''
DUMPED: Final = '''\
class Dumped:
    """What a dumper has made of a parameter, or raised: it is not called twice."""

    __slots__ = ("format", "oid", "value")

    def __init__(
        self,
        value: abc.Buffer | Exception | None,
        oid: int = 0,
        format_: Format = Format.TEXT,
    ) -> None:
        self.value = value
        self.oid = oid
        self.format = format_
'''
DUMPED_DUMPER: Final = '''\
class DumpedDumper(Dumper):
    """Passes on what was dumped; only the cursors of this module know it."""

    def get_key(self, obj: Any, format: PyFormat) -> abc.DumperKey:
        return Dumped, obj.oid, obj.format

    def upgrade(self, obj: Any, format: PyFormat) -> Dumper:
        dumper = DumpedDumper(Dumped)
        dumper.oid, dumper.format = obj.oid, obj.format
        return dumper

    def dump(self, obj: Any) -> abc.Buffer | None:
        if isinstance(obj.value, Exception):
            raise obj.value
        return cast("abc.Buffer | None", obj.value)
'''
FOR_CURSOR: Final = '''\
def for_cursor(
    params: Sequence[Any],
    values: Sequence[abc.Buffer | None],
    types: Sequence[int] | None,
    formats: Sequence[Format] | None,
) -> list[Any]:
    """Return parameters that were dumped, as parameters for a cursor."""
    return [
        None if param is None else Dumped(value, oid, format_)
        for param, value, oid, format_ in zip(
            params, values, types or (), formats or (), strict=True
        )
    ]
'''
MAKE_SESSION: Final = '''\
def make_session(conn: BaseConnection[Any]) -> Session | None:
    """Return what is kept of a connection, or None where every call takes a cursor.

    psycopg forgets what it has prepared when a ROLLBACK, a DISCARD or an ALTER passes
    by, and tells of it only here. Should a version of psycopg keep it elsewhere, or
    its adapters, all calls take cursors.
    """
    if conn.pgconn.status != ConnStatus.OK:
        return None
    prepared: Any = getattr(conn, "_prepared", None)
    names: object = getattr(prepared, "_names", None)
    loaders, dumpers = get_classes(conn.adapters)
    if not isinstance(names, OrderedDict) or not hasattr(prepared, "prepare_threshold"):
        return None
    if not (isinstance(loaders, list) and isinstance(dumpers, dict)):
        return None
    if conn.pgconn.parameter_status(b"client_encoding") != b"UTF8":
        return None
    session = sessions[conn] = Session(conn, prepared, cast("Names", names))
    return session
'''
GET_CLASSES: Final = '''\
def get_classes(adapters: AdaptersMap) -> tuple[object, object]:
    """Return the dictionaries of loader and dumper classes."""
    return getattr(adapters, "_loaders", None), getattr(adapters, "_dumpers", None)
'''
ARE_STATELESS: Final = '''\
def are_stateless(loaders: Any, dumpers: Any) -> bool:
    """Return whether adapters are psycopg's or this package's.

    They may serve many calls. Others are made for each call, with the connection.
    """
    return all(
        adapter.__module__.startswith(STATELESS)
        for adapters in (*loaders, *dumpers.values())
        for adapter in adapters.values()
    )
'''
LOAD_ALL: Final = '''\
def load_all(reply: Reply) -> Iterator[tuple[Any, ...]]:
    """Return the rows of a reply, a few at a time: they are soon something else."""
    session, loan, result = reply
    transformer, count = loan[0], result.ntuples
    for start in range(0, count, CHUNK):
        yield from transformer.load_rows(start, min(start + CHUNK, count), tuple)
    session.give_back(loan)
'''
SEND_BEGIN: Final = '''\
def send_begin(conn: BaseConnection[Any]) -> None:
    """Send the statement with which psycopg begins a transaction, in a pipeline."""
    words = ["BEGIN"]
    if conn.isolation_level is not None:
        words += ["ISOLATION LEVEL", conn.isolation_level.name.replace("_", " ")]
    if conn.read_only is not None:
        words.append("READ ONLY" if conn.read_only else "READ WRITE")
    if conn.deferrable is not None:
        words.append("DEFERRABLE" if conn.deferrable else "NOT DEFERRABLE")
    conn.pgconn.enter_pipeline_mode()
    conn.pgconn.send_query_params(" ".join(words).encode(), None)
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
    elif pgconn.pipeline_status and pgconn.status == ConnStatus.OK:
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

    The statement was not executed then. An error with a context comes from inside it.
    """
    source, context = error.diag.source_function, error.diag.context
    if error.sqlstate == "0A000":
        return source == "RevalidateCachedQuery" and context is None
    is_reported = error.sqlstate == "26000" and context is None
    # A connection pooler names no function.
    return is_reported and source in {"FetchPreparedStatement", None}
'''
HELPERS: Final = (
    FOR_CURSOR,
    MAKE_SESSION,
    GET_CLASSES,
    ARE_STATELESS,
    SEND_BEGIN,
    FETCH_PIPELINE,
    LEAVE,
    FIND_FAILED,
    IS_OUTDATED,
)
TYPES: Final = """\
Names: TypeAlias = OrderedDict[tuple[bytes, tuple[int, ...] | None], bytes]
# A transformer, and the session's settings by which its loaders were made.
Loan: TypeAlias = tuple[abc.Transformer, tuple[bytes | None, ...]]
"""
REPLY: Final = """\
Reply: TypeAlias = tuple[Session, Loan, PGresult]
"""
STATES: Final = """\
AUTO = PyFormat.AUTO
# Plain numbers: to compare members of enumerations takes longer.
IDLE, ACTIVE = TransactionStatus.IDLE.value, TransactionStatus.ACTIVE.value
INTRANS, INERROR = TransactionStatus.INTRANS.value, TransactionStatus.INERROR.value
READY = frozenset({IDLE, INTRANS})
SUCCESSES = frozenset(
    {
        ExecStatus.COMMAND_OK.value,
        ExecStatus.TUPLES_OK.value,
        ExecStatus.PIPELINE_SYNC.value,
    }
)
PIPELINES = capabilities.has_pipeline()
STATELESS = (
    "psycopg.",
    "psycopg_binary.",
    "psycopg_c.",
    f"{__name__.rpartition('.')[0]}.",
)
fetch_results = generators.execute
# Bytes whose hash is known.
encode = lru_cache(1000)(str.encode)
"""
# The condition on which what is kept of a connection is made anew.
OUTDATED: Final = """\
(
            session is None
            or session.loaders != session.seen_loaders
            or session.dumpers != session.seen_dumpers
            or session.load_json is not getattr(JsonLoader, "_loads", None)
            or session.dump_json is not getattr(JsonDumper, "_dumps", None)
            or pgconn.parameter_status(b"client_encoding") != b"UTF8"
        )"""
CHUNK: Final = """\
# So many rows at a time are tuples: fewer objects for the garbage collector.
CHUNK = 100
"""
SESSIONS: Final = "sessions: WeakKeyDictionary[BaseConnection[Any], Session] = WeakKeyDictionary()"
NAMES: Final = {
    "functools": ("lru_cache",),
    "collections": ("OrderedDict",),
    "collections.abc": ("Sequence",),
    "typing": ("Any", "LiteralString", "TypeAlias", "cast"),
    "weakref": ("WeakKeyDictionary", "proxy"),
    "psycopg": ("BaseConnection", "Error", "OperationalError", "abc", "capabilities", "generators"),
    "psycopg.abc": ("PQGen",),
    "psycopg.adapt": ("AdaptersMap", "Dumper", "PyFormat", "Transformer"),
    "psycopg.errors": ("error_from_result",),
    "psycopg.pq": ("ConnStatus", "ExecStatus", "Format", "TransactionStatus"),
    "psycopg.pq.abc": ("PGconn", "PGresult"),
    "psycopg.types.json": ("JsonDumper", "JsonLoader"),
}
