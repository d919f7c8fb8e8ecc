"""The registration module: `register`, by which one connection loads the types that psycopg does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.colour import ASYNC, Colour
from sqlwright.render.docstrings import docstring
from sqlwright.render.header import header_line
from sqlwright.render.layout import Group, Node, exempt_if_too_long, statement
from sqlwright.render.literals import string_literal
from sqlwright.render.rows import from_row_name
from sqlwright.render.values import Values

REGISTER = "register"
_REGISTER_TYPES = "register_types"
_REJECT_OTHER = "reject_other_class"
_TYPES = "TYPES"
_FIND_TYPES = "FIND_TYPES"

# Each row is the argument of a function below. A missing type has no row.
_FIND = '''"""\\
SELECT namespace.nspname, type.typname, type.oid, type.typarray, type.typbasetype,
       coalesce(span.rngsubtype, spans.rngsubtype, 0::oid),
       coalesce(spans.rngtypid, 0::oid),
       ARRAY(SELECT attribute.attname FROM pg_catalog.pg_attribute AS attribute
             WHERE attribute.attrelid = type.typrelid AND attribute.attnum > 0
               AND NOT attribute.attisdropped ORDER BY attribute.attnum),
       ARRAY(SELECT attribute.atttypid FROM pg_catalog.pg_attribute AS attribute
             WHERE attribute.attrelid = type.typrelid AND attribute.attnum > 0
               AND NOT attribute.attisdropped ORDER BY attribute.attnum)
FROM unnest($1::text[], $2::text[]) AS wanted (namespace, name)
JOIN pg_catalog.pg_namespace AS namespace ON namespace.nspname = wanted.namespace
JOIN pg_catalog.pg_type AS type
  ON type.typnamespace = namespace.oid AND type.typname = wanted.name
LEFT JOIN pg_catalog.pg_range AS span ON span.rngtypid = type.oid
LEFT JOIN pg_catalog.pg_range AS spans ON spans.rngmultitypid = type.oid
"""'''


def registration_module(package: ir.Package, *, colour: Colour) -> str:
    """Return the text of registration.py, with `register` in a colour."""
    builder = ModuleBuilder(
        header=header_line(),
        doc="Registration of the database's types on a connection.",
        taken=[REGISTER, _REGISTER_TYPES, _REJECT_OTHER, _TYPES, _FIND_TYPES, *(name for _, name in _FUNCTIONS.values())],
    )
    final, text = builder.name("typing", "Final"), builder.builtin("str")
    pairs = f"{builder.builtin('list')}[{builder.builtin('tuple')}[{text}, {text}]]"
    entries = [f"    ({string_literal(found.schema)}, {string_literal(found.name)})," for found in package.registrations]
    builder.add_constant(exempt_if_too_long([f"{_TYPES}: {final}[{pairs}] = [", *entries, "]"]))
    builder.add_constant([f"{_FIND_TYPES}: {final} = {_FIND}"])
    add_register(builder, colour, home="")
    _add_register_types(builder, package)
    if any(found.adapter in (ir.Adapter.ENUM, ir.Adapter.COMPOSITE) for found in package.registrations):
        builder.add_definition(list(_reject_other(builder)))
    for adapter in ir.Adapter:
        if any(found.adapter is adapter for found in package.registrations):
            write, name = _FUNCTIONS[adapter]
            builder.add_definition(list(write(builder, name)))
    return builder.text()


def add_register(builder: ModuleBuilder, colour: Colour, *, home: str) -> None:
    """Add `register` in a colour; `home` is the relative name of the registration module, "" inside it."""

    def own(name: str) -> str:
        return builder.name(home, name) if home else name

    connection = f"{builder.name('psycopg', colour.connection)}[{builder.name('typing', 'Any')}]"
    cursor = builder.name("psycopg", colour.cursor)
    tuple_row = builder.name("psycopg.rows", "tuple_row")
    doc = [
        "Register the package's types on a connection, and on no other one.",
        "",
        f"Suitable for `{colour.pool}(configure=register)`: a connection",
        "outside a transaction is left outside.",
        "",
        "Raises:",
        "    LookupError: the database lacks a type, or has another one of its name.",
        "    RuntimeError: the connection loads a type as another class already.",
    ]
    builder.add_definition(
        [
            *statement(Group(f"{colour.define}{REGISTER}(", (f"conn: {connection}",)), 0, suffix=" -> None:"),
            *docstring(doc, 1),
            f"    schemas = [schema for schema, _ in {own(_TYPES)}]",
            f"    names = [name for _, name in {own(_TYPES)}]",
            f"    {colour.enter}conn.transaction():",
            f"        cur = {cursor}(conn, row_factory={tuple_row})",
            f"        {colour.wait}cur.execute({own(_FIND_TYPES)}, (schemas, names), binary=True)",
            f"        rows = {colour.wait}cur.fetchall()",
            f"    {own(_REGISTER_TYPES)}(conn, rows)",
        ]
    )


def aio_package(*, register: bool) -> str:
    """Return the text of aio/__init__.py."""
    builder = ModuleBuilder(
        header=header_line(),
        doc="Typed async functions for SQL queries, one module for each query file.",
        taken=[REGISTER] if register else [],
    )
    if register:
        add_register(builder, ASYNC, home="..registration")
    return builder.text()


def _add_register_types(builder: ModuleBuilder, package: ir.Package) -> None:
    context, any_row = builder.name("psycopg.abc", "AdaptContext"), _any_row(builder)
    rows = f"{builder.builtin('list')}[{any_row}]"
    lines = [
        *statement(Group(f"def {_REGISTER_TYPES}(", (f"conn: {context}", f"rows: {rows}")), 0, suffix=" -> None:"),
        f'    """Register the types, given the rows of `{_FIND_TYPES}`."""',
        "    types = {(row[0], row[1]): row for row in rows}",
        f"    for schema, name in {_TYPES}:",
        "        if (schema, name) not in types:",
        '            message = f"the database has no type {schema}.{name}"',
        f"            raise {builder.builtin('LookupError')}(message)",
    ]
    for registration in package.registrations:
        row = f"types[{string_literal(registration.schema)}, {string_literal(registration.name)}]"
        _, function = _FUNCTIONS[registration.adapter]
        lines += statement(Group(f"{function}(", ("conn", row, *_extra(builder, package, registration))), 1)
    builder.add_definition(lines)


def _extra(builder: ModuleBuilder, package: ir.Package, registration: ir.Registration) -> Iterator[Node]:
    match registration.adapter:
        case ir.Adapter.ENUM:
            yield f"{builder.name('.', 'enums')}.{registration.class_name}"
        case ir.Adapter.COMPOSITE:
            row = next(model for model in package.models if model.name == registration.class_name)
            name = f"{builder.name('.', 'models')}.{row.name}"
            values = Values(builder, package, root=".", json_alias="")
            yield Group("[", tuple(string_literal(field) for field in registration.fields), "]")
            yield name
            if values.converts(row.fields):
                yield f"{name}.{from_row_name(row.fields)}"
            else:
                yield f"lambda row: {name}(*row)"
        case _:
            pass


def _any_row(builder: ModuleBuilder) -> str:
    return f"{builder.builtin('tuple')}[{builder.name('typing', 'Any')}, ...]"


def _signature(builder: ModuleBuilder, name: str, *extra: str) -> list[str]:
    context = builder.name("psycopg.abc", "AdaptContext")
    return statement(Group(f"def {name}(", (f"conn: {context}", f"row: {_any_row(builder)}", *extra)), 0, suffix=" -> None:")


def _reject_other(builder: ModuleBuilder) -> Iterator[str]:
    kind = f"kind: {builder.builtin('type')}[{builder.builtin('object')}]"
    yield from _signature(builder, _REJECT_OTHER, kind)
    yield '    """Reject a type that this connection already loads as another class."""'
    yield "    info = conn.adapters.types.get(row[2])"
    get = builder.builtin("getattr")
    yield f'    other = {get}(info, "enum", None) or {get}(info, "python_type", None)'
    yield "    if other is not None and other is not kind:"
    yield '        message = f"this connection already loads {row[0]}.{row[1]} as {other}"'
    yield f"        raise {builder.builtin('RuntimeError')}(message)"


def _enum(builder: ModuleBuilder, name: str) -> Iterator[str]:
    module = "psycopg.types.enum"
    enum = f"enum: {builder.builtin('type')}[{builder.name('enum', 'Enum')}]"
    yield from _signature(builder, name, enum)
    yield '    """Register an enum and its arrays."""'
    yield f"    {_REJECT_OTHER}(conn, row, enum)"
    yield "    labels = [member.value for member in enum]"
    yield f"    info = {builder.name(module, 'EnumInfo')}(row[1], row[2], row[3], labels)"
    mapping = "mapping={member: member.value for member in enum}"
    yield from statement(Group(f"{builder.name(module, 'register_enum')}(", ("info", "conn", "enum", mapping)), 1)


def _array(builder: ModuleBuilder, name: str) -> Iterator[str]:
    yield from _signature(builder, name)
    yield '    """Register the arrays of a type whose values psycopg loads as text."""'
    yield f"    {builder.name('psycopg.types', 'TypeInfo')}(row[1], row[2], row[3]).register(conn)"


def _domain(builder: ModuleBuilder, name: str) -> Iterator[str]:
    module = builder.name("psycopg.pq", "Format")
    yield from _signature(builder, name)
    yield '    """Register the arrays of a domain, with the loaders of its base type."""'
    yield f"    {builder.name('psycopg.types', 'TypeInfo')}(row[1], row[2], row[3]).register(conn)"
    yield f"    for form in ({module}.TEXT, {module}.BINARY):"
    yield "        loader = conn.adapters.get_loader(row[4], form)"
    yield "        if loader is not None:"
    yield "            conn.adapters.register_loader(row[2], loader)"


def _composite(builder: ModuleBuilder, name: str) -> Iterator[str]:
    module, anything = "psycopg.types.composite", builder.name("typing", "Any")
    text = builder.builtin("str")
    make = f"{builder.name('collections.abc', 'Callable')}[[{_any_row(builder)}], {builder.builtin('object')}]"
    kind = f"kind: {builder.builtin('type')}[{builder.builtin('object')}]"
    yield from _signature(builder, name, f"fields: {builder.builtin('list')}[{text}]", kind, f"make: {make}")
    yield '    """Register a composite type and its arrays; `make` builds a value of fields."""'
    yield f"    {_REJECT_OTHER}(conn, row, kind)"
    yield "    if row[7] != fields:"
    yield '        message = f"type {row[0]}.{row[1]} has attributes {row[7]}, not {fields}"'
    yield f"        raise {builder.builtin('LookupError')}(message)"
    yield ""
    # psycopg reads the text form of a single attribute that is NULL as no attributes.
    yield f"    def factory(*values: {anything}) -> {builder.builtin('object')}:"
    yield f"        return make(values or (None,) * {builder.builtin('len')}(fields))"
    yield ""
    info = Group(f"{builder.name(module, 'CompositeInfo')}(", ("row[1]", "row[2]", "row[3]", "field_names=fields", "field_types=row[8]"))
    yield from statement(info, 1, "info = ")
    yield "    # psycopg sets this itself where the factory is a class."
    yield "    info.python_type = kind"
    yield f"    {builder.name(module, 'register_composite')}(info, conn, factory)"


def _range(builder: ModuleBuilder, name: str) -> Iterator[str]:
    module = "psycopg.types.range"
    yield from _signature(builder, name)
    yield '    """Register a range type and its arrays."""'
    yield from statement(Group(f"{builder.name(module, 'RangeInfo')}(", ("row[1]", "row[2]", "row[3]", "subtype_oid=row[5]")), 1, "info = ")
    yield f"    {builder.name(module, 'register_range')}(info, conn)"


def _multirange(builder: ModuleBuilder, name: str) -> Iterator[str]:
    module = "psycopg.types.multirange"
    yield from _signature(builder, name)
    yield '    """Register a multirange type and its arrays."""'
    arguments = ("row[1]", "row[2]", "row[3]", "range_oid=row[6]", "subtype_oid=row[5]")
    yield from statement(Group(f"{builder.name(module, 'MultirangeInfo')}(", arguments), 1, "info = ")
    yield f"    {builder.name(module, 'register_multirange')}(info, conn)"


def _hstore(builder: ModuleBuilder, name: str) -> Iterator[str]:
    # Not psycopg's register_hstore: that one makes the connection send every dict as an hstore.
    loader = builder.name("psycopg.types.hstore", "HstoreLoader")
    yield from _signature(builder, name)
    yield '    """Register hstore and its arrays."""'
    yield f"    {builder.name('psycopg.types', 'TypeInfo')}(row[1], row[2], row[3]).register(conn)"
    yield f"    conn.adapters.register_loader(row[2], {loader})"


def _vector(builder: ModuleBuilder, name: str) -> Iterator[str]:
    loader = builder.name(".adapters", "VectorLoader")
    yield from _signature(builder, name)
    yield '    """Register a vector type and its arrays."""'
    yield f"    {builder.name('psycopg.types', 'TypeInfo')}(row[1], row[2], row[3]).register(conn)"
    yield f"    conn.adapters.register_loader(row[2], {loader})"


_FUNCTIONS: dict[ir.Adapter, tuple[Callable[[ModuleBuilder, str], Iterator[str]], str]] = {
    ir.Adapter.ENUM: (_enum, "register_enum_type"),
    ir.Adapter.ARRAY: (_array, "register_array_of"),
    ir.Adapter.DOMAIN: (_domain, "register_domain"),
    ir.Adapter.COMPOSITE: (_composite, "register_composite_type"),
    ir.Adapter.RANGE: (_range, "register_range_type"),
    ir.Adapter.MULTIRANGE: (_multirange, "register_multirange_type"),
    ir.Adapter.HSTORE: (_hstore, "register_hstore_type"),
    ir.Adapter.VECTOR: (_vector, "register_vector_type"),
}
