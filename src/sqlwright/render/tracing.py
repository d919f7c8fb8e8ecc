"""The module of a package that traces its calls, for `tracing: opentelemetry`, and the line above a function that makes it traced.

Names, units and rules are those of OpenTelemetry's stable semantic conventions for database client calls and for PostgreSQL.
"""

from __future__ import annotations

from string import Template
from typing import Final

from sqlwright import ir
from sqlwright.options import Clients
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.colour import ASYNC, SYNC, Colour
from sqlwright.render.header import header_line
from sqlwright.render.layout import Group, statement
from sqlwright.render.literals import string_literal

# No query file can have this name: those begin with a letter.
TRACING_MODULE = "_tracing"

_IMPORTS: Final = """\
try:
    from opentelemetry.context import Context, get_current
    from opentelemetry.metrics import get_meter
    from opentelemetry.trace import (
        Span,
        SpanKind,
        StatusCode,
        get_current_span,
        get_tracer,
        set_span_in_context,
    )
except ImportError as error:
    raise ImportError(
        "this package is generated with `tracing: opentelemetry`,"
        " which needs opentelemetry-api: pip install opentelemetry-api"
    ) from error
"""
_INSTRUMENTS: Final = """\
tracer = get_tracer($scope)
durations = get_meter($scope).create_histogram(
    "db.client.operation.duration",
    unit="s",
    description="Duration of database client operations.",
    explicit_bucket_boundaries_advisory=[
        0.001,
        0.005,
        0.01,
        0.05,
        0.1,
        0.5,
        1,
        5,
        10,
    ],
)
"""
_CONSTANTS: Final = """\
F = TypeVar("F", bound=Callable[..., Any])
Attributes: TypeAlias = dict[str, str | int]
# A span, if the call is recorded; the attributes of its duration; when it began.
Traced: TypeAlias = tuple[Span | None, Attributes, int]

DEFAULT_PORT = 5432
# A name in a search path, quoted or not.
SCHEMA = re.compile(r'"((?:[^"]|"")*)"|([^",\\s]+)')
# In the options of a connection, a backslash stands before each space of a value.
SEARCH_PATH = re.compile(r"search_path=((?:\\\\.|\\S)*)")
"""
_QUERY: Final = '''\
class Query:
    """What spans and durations say of a query, whatever the connection."""

    def __init__(
        self,
        summary: str,
        text: str,
        operation: str = "",
        collection: str = "",
        procedure: str = "",
    ) -> None:
        self.summary = summary
        self.text = text
        names = {
            "db.query.summary": summary,
            "db.operation.name": operation,
            "db.collection.name": collection,
            "db.stored_procedure.name": procedure,
        }
        self.names = {key: name for key, name in names.items() if name}
'''
_PLACE: Final = '''\
class Place:
    """A database and schema, and the attributes of the queries called there."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes: Attributes = {"db.system.name": "postgresql", **attributes}
        self.known: dict[Query, tuple[Attributes, Attributes]] = {}

    def describe(self, query: Query) -> tuple[Attributes, Attributes]:
        """Make the attributes of a query's spans, and those of its durations."""
        names = {**self._attributes, **query.names}
        self.known[query] = {**names, "db.query.text": query.text}, names
        return self.known[query]
'''
_COUNTED: Final = '''\
class Counted:
    """The rows passed to a function, counted while they are sent."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows = rows
        self._count = 0

    def __iter__(self) -> Iterator[Any]:
        for row in self._rows:
            self._count += 1
            yield row

    def count(self) -> int:
        """Return the number of rows, as far as it is known."""
        return len(self._rows) if isinstance(self._rows, Sized) else self._count
'''
_TRACED: Final = '''\
def ${a}traced(summary: str, text: str, **names: str) -> Callable[[F], F]:
    """Trace the calls of a function."""
    query = Query(summary, text, **names)

    def decorate(function: F) -> F:
        first = get_first_parameter(function)

        @wraps(function)
        ${define}call(*args: Any, **kwargs: Any) -> Any:
            traced = begin(query, args[0] if args else kwargs.get(first))
            try:
                result = ${wait}function(*args, **kwargs)
            except BaseException as error:
                fail(error, *traced)
                raise
            end(*traced)
            return result

        return cast("F", call)

    return decorate
'''
_TRACED_STREAM: Final = '''\
def ${a}traced_stream(summary: str, text: str, **names: str) -> Callable[[F], F]:
    """Trace the streams of a function, from the first row on to the last one."""
    query = Query(summary, text, **names)

    def decorate(function: F) -> F:
        first = get_first_parameter(function)

        @wraps(function)
        ${define}stream(*args: Any, **kwargs: Any) -> $generator[Any]:
            traced = begin(query, args[0] if args else kwargs.get(first))
            delivered: int | None = None
            try:
                ${enter}$closing(function(*args, **kwargs)) as rows:
                    ${each}row in rows:
                        delivered = time_ns()
                        yield row
            except GeneratorExit:
                # The reader needs no more rows, and may say so much later.
                end(*traced, delivered)
                raise
            except BaseException as error:
                fail(error, *traced)
                raise
            end(*traced)

        return cast("F", stream)

    return decorate
'''
_TRACED_BATCH: Final = '''\
def ${a}traced_batch(summary: str, text: str, **names: str) -> Callable[[F], F]:
    """Trace the calls of a function that takes rows."""
    query = Query(summary, text, **names)
    if "operation" in names:
        names["operation"] = f"BATCH {names['operation']}"
    batch = Query(f"BATCH {summary}", text, **names)

    def decorate(function: F) -> F:
        @wraps(function)
        ${define}call(conn: Any, rows: Iterable[Any]) -> Any:
            counted, traced = Counted(rows), begin(batch, conn)
            try:
                result = ${wait}function(conn, counted)
            except BaseException as error:
                fail(error, *tell_size(query, conn, counted.count(), traced))
                raise
            end(*tell_size(query, conn, counted.count(), traced))
            return result

        return cast("F", call)

    return decorate
'''
_BEGIN: Final = '''\
def begin(query: Query, conn: Any) -> Traced:
    """Begin a call, with a span if it is recorded.

    The span is not the current one, since nothing under psycopg makes spans: what the
    caller does between the rows of a stream is not part of the query.
    """
    place = find_place(conn)
    attributes, names = place.known.get(query) or place.describe(query)
    context, seen = get_current(), last_seen
    dropped = seen[1] if seen[0] is context else is_dropped(context)
    started = time_ns()
    if dropped:
        return None, names, started
    span = tracer.start_span(
        query.summary,
        kind=SpanKind.CLIENT,
        attributes=attributes,
        start_time=started,
    )
    return (span if span.is_recording() else None), names, started
'''
_END: Final = '''\
def end(
    span: Span | None, names: Attributes, started: int, ended: int | None = None
) -> None:
    """End a call."""
    if ended is None:
        ended = time_ns()
    if span is None:
        durations.record((ended - started) / 1e9, names)
        return
    durations.record((ended - started) / 1e9, names, set_span_in_context(span))
    span.end(ended)
'''
_FAIL: Final = '''\
def fail(
    error: BaseException, span: Span | None, names: Attributes, started: int
) -> None:
    """End a call that failed."""
    failure = get_failure(error)
    if span is not None:
        span.set_attributes(failure)
        span.set_status(StatusCode.ERROR, get_description(error))
    end(span, {**names, **failure}, started)
'''
_TELL_SIZE: Final = '''\
def tell_size(query: Query, conn: Any, count: int, traced: Traced) -> Traced:
    """Say how many rows a batch had; with one row, it was an ordinary call."""
    span, names, started = traced
    if count == 1:
        _, names = find_place(conn).describe(query)
        if span is not None:
            span.update_name(query.summary)
            span.set_attributes(query.names)
    elif span is not None:
        span.set_attribute("db.operation.batch.size", count)
    return span, names, started
'''
_IS_DROPPED: Final = '''\
def is_dropped(context: Context) -> bool:
    """Return whether the current span is of this process and not sampled.

    A call inside it is not sampled either. To ask the tracer takes far longer, and to
    look at the span longer than at the context, of which a request has few.
    """
    global last_seen
    span = get_current_span(context)
    found = span.get_span_context()
    sampled = span.is_recording() or found.trace_flags.sampled
    dropped = found.is_valid and not (found.is_remote or sampled)
    last_seen = context, dropped
    return dropped
'''
_GET_FIRST_PARAMETER: Final = '''\
def get_first_parameter(function: Callable[..., Any]) -> str:
    """Return the name of a function's connection, which its caller may use."""
    return cast("FunctionType", function).__code__.co_varnames[0]
'''
_FIND_PLACE: Final = '''\
def find_place(conn: Any) -> Place:
    """Return where a connection leads; for a closed one, as far as that is known."""
    if conn is None:
        return NOWHERE
    known = places.get(ref(conn))
    try:
        # PostgreSQL 18 and later report it whenever it changes.
        search_path = conn.pgconn.parameter_status(b"search_path")
        if known is None or known[0] != search_path:
            known = search_path, read_place(conn, search_path)
            places[ref(conn, places.pop)] = known
    except OperationalError:
        pass
    return NOWHERE if known is None else known[1]
'''
_READ_PLACE: Final = '''\
def read_place(conn: BaseConnection[Any], search_path: bytes | None) -> Place:
    """Read where a connection leads, and its schema as reported or as connected."""
    info = conn.info
    path = "" if search_path is None else search_path.decode(errors="replace")
    if search_path is None and (found := SEARCH_PATH.search(info.options)):
        path = re.sub(r"\\\\(.)", r"\\1", found[1])
    return get_place(info.host, info.port, info.dbname, get_schema(path))
'''
_GET_SCHEMA: Final = '''\
def get_schema(path: str) -> str:
    """Return the first schema of a search path that is not the one of the user."""
    for quoted, plain in SCHEMA.findall(path):
        name: str = quoted.replace('""', '"') or plain
        if name and name != "$user":
            return name
    return ""
'''
_GET_PLACE: Final = '''\
@lru_cache(maxsize=256)
def get_place(host: str, port: int, database: str, schema: str) -> Place:
    """Return a place, the same for all connections that lead there."""
    namespace = f"{database}|{schema}" if schema else database
    if host.startswith(("/", "@")):
        return Place(
            {
                "db.namespace": namespace,
                "server.address": f"{host}/.s.PGSQL.{port}",
            }
        )
    attributes: Attributes = {"db.namespace": namespace, "server.address": host}
    if port != DEFAULT_PORT:
        attributes["server.port"] = port
    return Place(attributes)
'''
_GET_FAILURE: Final = '''\
def get_failure(error: BaseException) -> dict[str, str]:
    """Return the attributes of a call that failed: the SQLSTATE, or else the class."""
    sqlstate = error.diag.sqlstate if isinstance(error, Error) else None
    if sqlstate is not None:
        return {"db.response.status_code": sqlstate, "error.type": sqlstate}
    kind = type(error)
    if kind.__module__ == "builtins":
        return {"error.type": kind.__qualname__}
    return {"error.type": f"{kind.__module__}.{kind.__qualname__}"}
'''
_GET_DESCRIPTION: Final = '''\
def get_description(error: BaseException) -> str | None:
    """Return the error's class and constraint; its message may quote a row."""
    if not isinstance(error, Error) or error.diag.sqlstate is None:
        return None
    constraint = error.diag.constraint_name
    name = type(error).__name__
    return name if constraint is None else f"{name}: {constraint}"
'''
_PLACES: Final = """\
# By the connection; what WeakKeyDictionary does, in less time.
places: dict[ref[BaseConnection[Any]], tuple[bytes | None, Place]] = {}
NOWHERE = Place({})
# The context of the last call, and whether it was dropped.
last_seen: tuple[Context | None, bool] = None, False
"""
_NAMES: Final = {
    "collections.abc": ("Callable",),
    "functools": ("lru_cache", "wraps"),
    "time": ("time_ns",),
    "typing": ("Any", "TypeAlias", "TypeVar", "cast"),
    "weakref": ("ref",),
    "psycopg": ("BaseConnection", "Error", "OperationalError"),
}
_NAMES_OF_BATCHES: Final = {"collections.abc": ("Iterable", "Iterator", "Sized")}
_NAMES_OF_OTHERS: Final = {"types": ("FunctionType",)}
_DECORATORS: Final = {"traced": _TRACED, "traced_stream": _TRACED_STREAM, "traced_batch": _TRACED_BATCH}
_STEPS: Final = (_BEGIN, _END, _FAIL)
_HELPERS: Final = (_IS_DROPPED, _FIND_PLACE, _READ_PLACE, _GET_SCHEMA, _GET_PLACE, _GET_FAILURE, _GET_DESCRIPTION)


def traced_lines(builder: ModuleBuilder, query: ir.Query, constant: str, colour: Colour, root: str) -> list[str]:
    """Return the decorator of a query's function."""
    name = builder.name(f"{root}{TRACING_MODULE}", f"{colour.prefix}{_decorator(query)}")
    operation = query.operation
    names = {"operation": operation.name, "collection": operation.collection, "procedure": operation.procedure}
    given = tuple(f"{key}={string_literal(value)}" for key, value in names.items() if value)
    return statement(Group(f"@{name}(", (string_literal(query.name), constant, *given)), 0)


def _decorator(query: ir.Query) -> str:
    match query.result:
        case ir.Stream():
            return "traced_stream"
        case ir.Batch():
            return "traced_batch"
        case _:
            return "traced"


def tracing_module(package: ir.Package, package_name: str, clients: Clients) -> str:
    """Return the text of the module, with what the package's functions need."""
    decorators = {_decorator(query) for module in package.modules for query in module.queries}
    batches, others = "traced_batch" in decorators, bool(decorators - {"traced_batch"})
    builder = ModuleBuilder(
        header=header_line(), doc="Spans and durations of calls, by OpenTelemetry's semantic conventions for databases.", taken=()
    )
    builder.module("re")
    for names in (_NAMES, _NAMES_OF_BATCHES if batches else {}, _NAMES_OF_OTHERS if others else {}):
        for module, members in names.items():
            for name in members:
                builder.name(module, name)
    for constants in (_IMPORTS, Template(_INSTRUMENTS).substitute(scope=string_literal(package_name)), _CONSTANTS):
        builder.add_constant(constants.splitlines())
    for text in (_QUERY, _PLACE, *[_COUNTED] * batches):
        builder.add_definition(text.splitlines())
    builder.add_constant(_PLACES.splitlines())
    for colour in [SYNC] * (clients is not Clients.ASYNC) + [ASYNC] * (clients is not Clients.SYNC):
        for text in (_DECORATORS[name] for name in _DECORATORS if name in decorators):
            builder.add_definition(_coloured(builder, text, colour))
    for text in (*_STEPS, *[_TELL_SIZE] * batches, *[_GET_FIRST_PARAMETER] * others, *_HELPERS):
        builder.add_definition(text.splitlines())
    return builder.text()


def _coloured(builder: ModuleBuilder, text: str, colour: Colour) -> list[str]:
    names = {"a": colour.prefix, "define": colour.define, "wait": colour.wait, "enter": colour.enter, "each": colour.each}
    if text is _TRACED_STREAM:
        names["generator"] = builder.name("collections.abc", colour.generator)
        names["closing"] = builder.name("contextlib", colour.closing)
    return Template(text).substitute(names).splitlines()
