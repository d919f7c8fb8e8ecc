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
from sqlwright.render.tracing import calls, places

# No query file can have this name: those begin with a letter.
TRACING_MODULE = "_tracing"

_IMPORTS: Final = """\
try:
    from opentelemetry.context import Context, get_current
    from opentelemetry.metrics import get_meter, get_meter_provider
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
# A context, whether its calls have no span, and whether they have no duration either.
Seen: TypeAlias = tuple[Context | None, bool, bool]

DEFAULT_PORT = 5432
# A name in a search path, quoted or not.
SCHEMA = re.compile(r'"((?:[^"]|"")*)"|([^",\\s]+)')
# In the options of a connection, a backslash stands before each space of a value.
SEARCH_PATH = re.compile(r"search_path=((?:\\\\.|\\S)*)")
"""
_PLACES: Final = """\
# By the connection; what WeakKeyDictionary does, in less time.
places: dict[ref[BaseConnection[Any]], tuple[bytes | None, Place]] = {}
NOWHERE = Place({})
# Of the last call.
last_seen: Seen = None, False, False
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
_DECORATORS: Final = {"traced": calls.TRACED, "traced_stream": calls.TRACED_STREAM, "traced_batch": calls.TRACED_BATCH}
_STEPS: Final = (calls.BEGIN, calls.END, calls.FAIL)
_HELPERS: Final = (
    calls.LOOK,
    calls.IS_MEASURED,
    places.FIND_PLACE,
    places.READ_PLACE,
    places.GET_SCHEMA,
    places.GET_PLACE,
    calls.GET_FAILURE,
    calls.GET_DESCRIPTION,
)


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
    for text in (calls.QUERY, places.PLACE, *[calls.COUNTED] * batches):
        builder.add_definition(text.splitlines())
    builder.add_constant(_PLACES.splitlines())
    for colour in [SYNC] * (clients is not Clients.ASYNC) + [ASYNC] * (clients is not Clients.SYNC):
        for text in (_DECORATORS[name] for name in _DECORATORS if name in decorators):
            builder.add_definition(_coloured(builder, text, colour))
    for text in (*_STEPS, *[calls.TELL_SIZE] * batches, *[calls.GET_FIRST_PARAMETER] * others, *_HELPERS):
        builder.add_definition(text.splitlines())
    return builder.text()


def _coloured(builder: ModuleBuilder, text: str, colour: Colour) -> list[str]:
    names = {"a": colour.prefix, "define": colour.define, "wait": colour.wait, "enter": colour.enter, "each": colour.each}
    if text is calls.TRACED_STREAM:
        names["generator"] = builder.name("collections.abc", colour.generator)
        names["closing"] = builder.name("contextlib", colour.closing)
    return Template(text).substitute(names).splitlines()
