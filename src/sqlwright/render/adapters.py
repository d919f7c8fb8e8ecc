"""The adapters module: conversions between what psycopg loads and sends and the values of the generated functions."""

from __future__ import annotations

from collections.abc import Iterator

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.docstrings import docstring
from sqlwright.render.header import header_line
from sqlwright.render.layout import Group, Text, lay_out, statement
from sqlwright.render.pgvalues import (
    DUMP_JSON,
    HSTORE_TEXT,
    KEEP_INTERVALS,
    LOAD_JSON,
    REGISTERED,
    VECTOR_TEXT,
    keeps_intervals,
    result_types,
)
from sqlwright.render.registration import REGISTER
from sqlwright.types.formats import is_converted
from sqlwright.types.valuetypes import holds_arrays, holds_interval, is_box, needing_registration, parts

_VECTOR_LOADER = "VectorLoader"
_LOADERS = ("IntervalLoader", "IntervalBinaryLoader")

_INTERVAL_CLASS = '''\
@dataclass(frozen=True, slots=True)
class Interval:
    """An interval as PostgreSQL stores it: a month has no fixed number of days."""

    months: int = 0
    days: int = 0
    microseconds: int = 0

    def __str__(self) -> str:
        """Return the text that PostgreSQL reads."""
        return f"{self.months} mons {self.days} days {self.microseconds} microseconds"
'''

_EXACT_LOADERS = '''\
class IntervalLoader(Loader):
    """Loads the text form of an interval."""

    def load(self, data: Buffer) -> Interval:
        """Load a value."""
        text = bytes(data).decode()
        match = INTERVAL_TEXT.fullmatch(text)
        if not match or not text:
            message = f"cannot load interval {text!r}; set IntervalStyle to postgres"
            raise DataError(message)
        years, months, days, sign, hours, minutes, seconds = match.groups("0")
        micros = round(float(seconds) * 1_000_000)
        micros += (int(hours) * 60 + int(minutes)) * 60_000_000
        if sign == "-":
            micros = -micros
        return Interval(int(years) * 12 + int(months), int(days), micros)


class IntervalBinaryLoader(Loader):
    """Loads the binary form of an interval."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Interval:
        """Load a value."""
        micros, days, months = unpack("!qii", data)
        if (micros, days, months) in INFINITE:
            message = "cannot load an infinite interval"
            raise DataError(message)
        return Interval(months, days, micros)
'''

_PLAIN_LOADERS = '''\
class IntervalLoader(_IntervalLoader):
    """Loads the text form of an interval that a timedelta can hold."""

    def load(self, data: Buffer) -> timedelta:
        """Load a value."""
        text = bytes(data)
        if b"mon" in text or b"year" in text or b"infinity" in text:
            raise DataError(NOT_A_TIMEDELTA.format(text.decode()))
        return super().load(data)


class IntervalBinaryLoader(_IntervalBinaryLoader):
    """Loads the binary form of an interval that a timedelta can hold."""

    def load(self, data: Buffer) -> timedelta:
        """Load a value."""
        parts = unpack("!qii", data)
        if parts[2]:
            what = "infinity" if parts in INFINITE else f"{parts[2]} months"
            raise DataError(NOT_A_TIMEDELTA.format(what))
        return super().load(data)
'''

_BOXES = '''\
def boxes_text(value: list[Any]) -> str:
    """Return the text of an array of boxes, which has semicolons between them."""

    def written(item: Any) -> str:
        if item is None:
            return "NULL"
        if isinstance(item, str):
            escaped = item.replace("\\\\", "\\\\\\\\").replace('"', '\\\\"')
            return f'"{escaped}"'
        return boxes_text(item)

    return f"{{{';'.join(written(item) for item in value)}}}"
'''

_ARRAYS_NEED = {"typing": ("Any",), "psycopg.adapt": ("PyFormat", "Transformer")}
# `is_array` keeps pyright from narrowing the item to a list of unknown values.
_ARRAYS = '''\
def array_text(value: list[Any]) -> str:
    """Format an array as an element; psycopg sends nested lists as one array."""

    def is_array(item: Any) -> bool:
        return isinstance(item, list)

    def plain(item: Any) -> Any:
        if is_array(item):
            return [plain(each) for each in item]
        return f"\\\\x{item.hex()}" if isinstance(item, bytes) else item

    found = plain(value)
    dumper = Transformer().get_dumper(found, PyFormat.TEXT)
    return bytes(dumper.dump(found) or b"").decode()
'''


def needs_adapters(package: ir.Package) -> bool:
    """Return whether a package needs the module."""
    return bool(_Needs(package).any)


class _Needs:
    """The parts of the module that a package uses."""

    def __init__(self, package: ir.Package) -> None:
        queries = [query for module in package.modules for query in module.queries]
        loaded = [found for query in queries for found in result_types(query)]
        loaded += [column.type for model in package.models for column in ir.columns_in(model.fields)]
        everything = [part for found in (*loaded, *(p.type for query in queries for p in query.params)) for part in parts(found)]
        kinds = {type(part) for part in everything}
        self.exact = ir.ExactInterval in kinds
        self.intervals = any(holds_interval(found) for found in loaded) or any(keeps_intervals(query) for query in queries)
        self.hstore = ir.Hstore in kinds
        self.vector = ir.Vector in kinds
        self.boxes = any(isinstance(part, ir.ListOf) and is_box(part.element) for part in everything)
        self.arrays = any(isinstance(part, ir.ListOf) and holds_arrays(part) for part in everything)
        self.json = ir.TypedJson in kinds
        self.registered = any(is_converted(found) and list(needing_registration(found)) for found in loaded)

    @property
    def any(self) -> bool:
        """Whether it uses any."""
        return self.exact or self.intervals or self.hstore or self.vector or self.boxes or self.arrays or self.json or self.registered


def adapters_module(package: ir.Package, *, package_name: str, aio: bool) -> str:
    """Return the text of adapters.py; `aio`: the `aio` subpackage has its own `register`."""
    needs = _Needs(package)
    builder = ModuleBuilder(header=header_line(), doc="Conversions between psycopg's values and those of this package.", taken=_LOADERS)
    if needs.exact:
        builder.name("dataclasses", "dataclass")
        builder.add_definition(_INTERVAL_CLASS.splitlines())
    if needs.intervals:
        _add_intervals(builder, exact=needs.exact)
    if needs.registered:
        builder.add_definition(list(_registered(builder, package_name, aio=aio)))
    if needs.json:
        _add_json(builder)
    if needs.hstore:
        builder.add_definition(list(_hstore_text()))
    if needs.vector:
        _add_vector(builder)
    if needs.boxes:
        builder.name("typing", "Any")
        builder.add_definition(_BOXES.splitlines())
    if needs.arrays:
        _add_arrays(builder)
    return builder.text()


def _add_arrays(builder: ModuleBuilder) -> None:
    for module, names in _ARRAYS_NEED.items():
        for name in names:
            builder.name(module, name)
    builder.add_definition(_ARRAYS.splitlines())


def _add_intervals(builder: ModuleBuilder, *, exact: bool) -> None:
    final = builder.name("typing", "Final")
    builder.name("psycopg", "DataError")
    builder.name("psycopg.abc", "Buffer")
    builder.name("struct", "unpack")
    if exact:
        builder.name("psycopg.adapt", "Loader")
        builder.name("psycopg.pq", "Format")
        builder.module("re")
        builder.add_constant(
            [
                f"INTERVAL_TEXT: {final} = re.compile(",
                '    r"(?:([+-]?\\d+) years? ?)?(?:([+-]?\\d+) mons? ?)?(?:([+-]?\\d+) days? ?)?"',
                '    r"(?:([+-]?)(\\d+):(\\d+):(\\d+(?:\\.\\d+)?))?"',
                ")",
            ]
        )
    else:
        builder.name("datetime", "timedelta")
        for loader in _LOADERS:
            builder.name("psycopg.types.datetime", loader)
        builder.add_constant(
            [
                f"NOT_A_TIMEDELTA: {final} = (",
                '    "a timedelta cannot hold the interval {}: "',
                '    "use justify_interval or extract in the query, or `intervals: exact`"',
                ")",
            ]
        )
    builder.add_constant(
        [
            "# Infinity and -infinity, which have the largest and the smallest parts.",
            f"INFINITE: {final} = (",
            "    (2**63 - 1, 2**31 - 1, 2**31 - 1),",
            "    (-(2**63), -(2**31), -(2**31)),",
            ")",
        ]
    )
    for loader in (_EXACT_LOADERS if exact else _PLAIN_LOADERS).split("\n\n\n"):
        builder.add_definition(loader.rstrip("\n").splitlines())
    context = builder.name("psycopg.abc", "AdaptContext")
    builder.add_definition(
        [
            *statement(
                Group(f"def {KEEP_INTERVALS}(", (f"cursor: {context}", "*", f"binary: {builder.builtin('bool')}")), 0, suffix=" -> None:"
            ),
            '    """Make a cursor load intervals without loss: psycopg reads a month as 30 days."""',
            "    loader = IntervalBinaryLoader if binary else IntervalLoader",
            '    cursor.adapters.register_loader("interval", loader)',
        ]
    )


def _registered(builder: ModuleBuilder, package_name: str, *, aio: bool) -> Iterator[str]:
    anything = builder.name("typing", "Any")
    function = f"{package_name}.{REGISTER}" + (f" (or {package_name}.aio.{REGISTER})" if aio else "")
    yield f"def {REGISTERED}(value: {anything}) -> {anything}:"
    yield from docstring(
        [
            "Return a value that psycopg was able to load.",
            "",
            "Raises:",
            f"    TypeError: `{REGISTER}` was not called with the connection.",
        ],
        1,
    )
    yield "    if isinstance(value, str):"
    yield from lay_out(Group("TypeError(", (Text(f"call {function} on this connection first"),)), 2, "raise ")
    yield "    return value"


def _add_json(builder: ModuleBuilder) -> None:
    anything = builder.name("typing", "Any")
    builder.name("functools", "cache")
    builder.name("pydantic", "TypeAdapter")
    builder.module("json")
    builder.add_definition(
        [
            "@cache",
            f"def adapter_of(kind: {anything}) -> TypeAdapter[{anything}]:",
            '    """Return the validator of a type."""',
            "    return TypeAdapter(kind)",
        ]
    )
    builder.add_definition(
        [
            f"def {LOAD_JSON}(kind: {anything}, value: {anything}) -> {anything}:",
            *docstring(
                [
                    "Return the value that the JSON stands for.",
                    "",
                    "Raises:",
                    "    pydantic.ValidationError: the JSON does not fit the type.",
                ],
                1,
            ),
            "    return adapter_of(kind).validate_json(json.dumps(value))",
        ]
    )
    builder.add_definition(
        [
            f"def {DUMP_JSON}(kind: {anything}, value: {anything}) -> {anything}:",
            *docstring(
                ["Return the JSON of a value of a type.", "", "Raises:", "    pydantic.ValidationError: the value is not of the type."], 1
            ),
            "    adapter = adapter_of(kind)",
            '    return adapter.dump_python(adapter.validate_python(value), mode="json")',
        ]
    )


def _hstore_text() -> Iterator[str]:
    yield f"def {HSTORE_TEXT}(value: dict[str, str | None]) -> str:"
    yield '    """Return the text of an hstore."""'
    yield ""
    yield "    def quoted(text: str | None) -> str:"
    yield "        if text is None:"
    yield '            return "NULL"'
    yield """        escaped = text.replace("\\\\", "\\\\\\\\").replace('"', '\\\\"')"""
    yield """        return f'"{escaped}"'"""
    yield ""
    yield '    return ", ".join(f"{quoted(key)}=>{quoted(item)}" for key, item in value.items())'


def _add_vector(builder: ModuleBuilder) -> None:
    loader, buffer = builder.name("psycopg.adapt", "Loader"), builder.name("psycopg.abc", "Buffer")
    builder.add_definition(
        [
            f"class {_VECTOR_LOADER}({loader}):",
            '    """Loads the text form of a vector."""',
            "",
            f"    def load(self, data: {buffer}) -> list[float]:",
            '        """Load a value."""',
            '        return [float(item) for item in bytes(data)[1:-1].split(b",")]',
        ]
    )
    builder.add_definition(
        [
            f"def {VECTOR_TEXT}(value: list[float]) -> str:",
            '    """Return the text of a vector."""',
            """    return f"[{','.join(map(str, value))}]\"""",
        ]
    )
