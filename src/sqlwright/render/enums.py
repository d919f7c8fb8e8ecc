"""The enums module, and `register`, which teaches a connection to load arrays of the package's enums."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.colour import ASYNC, Colour
from sqlwright.render.header import header_line
from sqlwright.render.layout import Group, exempt_if_too_long, fits, lay_out, statement
from sqlwright.render.literals import docstring, string_literal
from sqlwright.render.pgvalues import ENUM_ARRAY, free_name

REGISTER = "register"
_REGISTER_FOUND = "register_found"

_FIND_ENUMS = '''"""\\
SELECT namespace.nspname, type.typname, type.oid, type.typarray
FROM pg_catalog.pg_type AS type
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = type.typnamespace
WHERE type.typtype = 'e'
"""'''


def enums_module(package: ir.Package, *, package_name: str, register: Colour | None, aio: bool) -> str:
    """Give the text of enums.py.

    `register` is the colour of the function of that name, if the package needs one; `aio` tells that the `aio` subpackage has another.
    """
    own = [_enums_name(package), _find_enums_name(package), _REGISTER_FOUND, REGISTER, ENUM_ARRAY] if register else []
    builder = ModuleBuilder(header=header_line(), doc="Enums of the database.", taken=[*_class_names(package), *own])
    for enum in package.enums:
        _add_enum(builder, enum)
    if register:
        _add_tables(builder, package)
        add_register(builder, package, register, enums="")
        _add_register_found(builder, package)
        _add_enum_array(builder, package_name, aio=aio)
    return builder.text()


def add_register(builder: ModuleBuilder, package: ir.Package, colour: Colour, *, enums: str) -> None:
    """Add `register` in a colour; `enums` is the relative name of the enums module, "" inside it."""
    find_enums = builder.name(enums, _find_enums_name(package)) if enums else _find_enums_name(package)
    register_found = builder.name(enums, _REGISTER_FOUND) if enums else _REGISTER_FOUND
    connection = f"{builder.name('psycopg', colour.connection)}[{builder.name('typing', 'Any')}]"
    cursor = builder.name("psycopg", colour.cursor)
    tuple_row = builder.name("psycopg.rows", "tuple_row")
    doc = [
        "Teach a connection, and no other one, to load arrays of the package's enums.",
        "",
        f"Fit for `{colour.pool}(configure=register)`: a connection outside of a",
        "transaction stays outside.",
        "",
        "Raises:",
        "    LookupError: the database lacks one of the enums.",
    ]
    builder.add_definition(
        [
            *statement(Group(f"{colour.define}{REGISTER}(", (f"conn: {connection}",)), 0, suffix=" -> None:"),
            *docstring(doc, 1),
            f"    {colour.enter}conn.transaction():",
            f"        cur = {cursor}(conn, row_factory={tuple_row})",
            f"        {colour.wait}cur.execute({find_enums}, binary=True)",
            f"        found = {colour.wait}cur.fetchall()",
            f"    {register_found}(conn, found)",
        ]
    )


def _add_enum(builder: ModuleBuilder, enum: ir.EnumClass) -> None:
    doc = enum.doc.strip() or f"The enum `{enum.postgres}`."
    lines = [f"class {enum.name}({builder.name('enum', 'StrEnum')}):", *docstring([doc], 1)]
    if enum.members:
        lines.append("")
    for name, label in enum.members:
        lines += member_lines(name, string_literal(label))
    builder.add_definition(lines)


def member_lines(name: str, literal: str) -> list[str]:
    """The assignment of a member of an enum."""
    line = f"{name} = {literal}"
    if fits(line, 1):
        return [f"    {line}"]
    return [f"    {name} = (", f"        {literal}", "    )"] if fits(literal, 2) else exempt_if_too_long([f"    {line}"])


def _add_tables(builder: ModuleBuilder, package: ir.Package) -> None:
    final, mapping, pair = builder.name("typing", "Final"), builder.builtin("dict"), builder.builtin("tuple")
    text, enum_class = builder.builtin("str"), f"{builder.builtin('type')}[{builder.name('enum', 'StrEnum')}]"
    entries = [f"    ({string_literal(enum.schema)}, {string_literal(enum.postgres)}): {enum.name}," for enum in package.enums]
    builder.add_constant(
        exempt_if_too_long(
            [f"{_enums_name(package)}: {final}[{mapping}[{pair}[{text}, {text}], {enum_class}]] = {{", *entries, "}"],
        )
    )
    builder.add_constant([f"{_find_enums_name(package)}: {final} = {_FIND_ENUMS}"])


def _add_register_found(builder: ModuleBuilder, package: ir.Package) -> None:
    any_row = f"{builder.builtin('tuple')}[{builder.name('typing', 'Any')}, ...]"
    context = builder.name("psycopg.abc", "AdaptContext")
    found = f"{builder.builtin('list')}[{any_row}]"
    info, register_enum = builder.name("psycopg.types.enum", "EnumInfo"), builder.name("psycopg.types.enum", "register_enum")
    labels = Group(f"{info}(", ("name", "oid", "array_oid", "[member.value for member in enum]"))
    mapping = Group(f"{register_enum}(", ("info", "conn", "enum", "mapping={member: member.value for member in enum}"))
    builder.add_definition(
        [
            *statement(Group(f"def {_REGISTER_FOUND}(", (f"conn: {context}", f"found: {found}")), 0, suffix=" -> None:"),
            f'    """Register the enums, whose OIDs are in rows of `{_find_enums_name(package)}`."""',
            "    oids = {(schema, name): (oid, array) for schema, name, oid, array in found}",
            f"    for (schema, name), enum in {_enums_name(package)}.items():",
            "        if (schema, name) not in oids:",
            '            message = f"the database has no enum {schema}.{name}"',
            f"            raise {builder.builtin('LookupError')}(message)",
            "        oid, array_oid = oids[schema, name]",
            *statement(labels, 2, "info = "),
            *statement(mapping, 2),
        ]
    )


def _add_enum_array(builder: ModuleBuilder, package_name: str, *, aio: bool) -> None:
    anything = builder.name("typing", "Any")
    function = f"{package_name}.{REGISTER}" + (f" (or {package_name}.aio.{REGISTER})" if aio else "")
    message = f"call {function} on this connection first"
    type_error = builder.builtin("TypeError")
    builder.add_definition(
        [
            f"def {ENUM_ARRAY}(value: {anything}) -> {anything}:",
            *docstring(
                [
                    "Pass on an enum array that psycopg could load.",
                    "",
                    "Raises:",
                    f"    TypeError: `{REGISTER}` was not called with the connection.",
                ],
                1,
            ),
            f"    if isinstance(value, {builder.builtin('str')}):",
            *lay_out(Group(f"{type_error}(", (string_literal(message),)), 2, "raise "),
            "    return value",
        ]
    )


def aio_package(package: ir.Package, *, register: bool) -> str:
    """Give the text of aio/__init__.py."""
    builder = ModuleBuilder(header=header_line(), doc="The async functions.", taken=[REGISTER] if register else [])
    if register:
        add_register(builder, package, ASYNC, enums="..enums")
    return builder.text()


def _class_names(package: ir.Package) -> list[str]:
    return [enum.name for enum in package.enums]


def _enums_name(package: ir.Package) -> str:
    return free_name("ENUMS", _class_names(package))


def _find_enums_name(package: ir.Package) -> str:
    return free_name("FIND_ENUMS", _class_names(package))
