"""How the module of a package records a call: the decorators, and the beginning, the end and the failure of a call."""

from __future__ import annotations

from typing import Final

QUERY: Final = '''\
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
COUNTED: Final = '''\
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
TRACED: Final = '''\
def ${a}traced(summary: str, text: str, **names: str) -> Callable[[F], F]:
    """Trace the calls of a function."""
    query = Query(summary, text, **names)

    def decorate(function: F) -> F:
        first = get_first_parameter(function)

        @wraps(function)
        ${define}call(*args: Any, **kwargs: Any) -> Any:
            context, seen = get_current(), last_seen
            unrecorded = seen[2] if seen[0] is context else look(context)[2]
            if unrecorded:
                return ${wait}function(*args, **kwargs)
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
TRACED_STREAM: Final = '''\
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
TRACED_BATCH: Final = '''\
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
BEGIN: Final = '''\
def begin(query: Query, conn: Any) -> Traced:
    """Begin a call, with a span if it is recorded.

    The span is not the current one, since nothing under psycopg makes spans: what the
    caller does between the rows of a stream is not part of the query.
    """
    place = find_place(conn)
    attributes, names = place.known.get(query) or place.describe(query)
    context, seen = get_current(), last_seen
    dropped = seen[1] if seen[0] is context else look(context)[1]
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
END: Final = '''\
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
FAIL: Final = '''\
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
TELL_SIZE: Final = '''\
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
LOOK: Final = '''\
def look(context: Context) -> Seen:
    """Find out whether the current span is of this process and not sampled.

    A call inside it is not sampled either. To ask the tracer takes far longer, and to
    look at the span longer than at the context, of which a request has few.
    """
    global last_seen
    span = get_current_span(context)
    found = span.get_span_context()
    sampled = span.is_recording() or found.trace_flags.sampled
    dropped = found.is_valid and not (found.is_remote or sampled)
    last_seen = context, dropped, dropped and not is_measured()
    return last_seen
'''
IS_MEASURED: Final = '''\
def is_measured() -> bool:
    """Return whether anybody asks for durations: the API's own providers do not."""
    return not type(get_meter_provider()).__module__.startswith("opentelemetry.metrics")
'''
GET_FIRST_PARAMETER: Final = '''\
def get_first_parameter(function: Callable[..., Any]) -> str:
    """Return the name of a function's connection, which its caller may use."""
    return cast("FunctionType", function).__code__.co_varnames[0]
'''
GET_FAILURE: Final = '''\
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
GET_DESCRIPTION: Final = '''\
def get_description(error: BaseException) -> str | None:
    """Return the error's class and constraint; its message may quote a row."""
    if not isinstance(error, Error) or error.diag.sqlstate is None:
        return None
    constraint = error.diag.constraint_name
    name = type(error).__name__
    return name if constraint is None else f"{name}: {constraint}"
'''
