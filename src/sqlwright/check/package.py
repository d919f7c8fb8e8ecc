"""The check of the proven package before it is rendered: names of classes and fields, unsuitable commands, missing Python types."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from sqlwright import ir
from sqlwright.check.names import pairs
from sqlwright.diagnostics import Code, Diagnostic, Severity
from sqlwright.sql.lexer import first_word
from sqlwright.types.valuetypes import parts

_FIX = "cast it in the query to a type that has one, such as text, or set a Python type with the option `overrides`."
_FIXES = {
    "anyarray": "its arrays may differ in their number of dimensions: make all branches alike, or set a Python type with `overrides`.",
    "record": "select its fields as columns, cast each to a built-in type (a quoted literal has none), or create a composite type for it.",
}

# The statements whose command tag contains a row count (PostgreSQL manual, "Message Formats", CommandComplete), CREATE TABLE AS included.
_COUNTED = frozenset(
    {"(", "create", "delete", "execute", "fetch", "insert", "merge", "move", "select", "table", "update", "values", "with"}
)

# The attributes that the base classes of rows already have.
_RESERVED = {
    ir.RowStyle.DATACLASS: frozenset[str](),
    ir.RowStyle.FROZEN: frozenset[str](),
    ir.RowStyle.NAMEDTUPLE: frozenset(dir(tuple)) | {"_asdict", "_replace", "_fields", "_make", "_field_defaults"},
    ir.RowStyle.PYDANTIC: frozenset(dir(BaseModel)),
}
_WITHOUT_UNDERSCORE = frozenset({ir.RowStyle.NAMEDTUPLE, ir.RowStyle.PYDANTIC})


def check_package(package: ir.Package) -> list[Diagnostic]:
    """Return every error and warning of the package."""
    found = [*_classes(package), *_fields(package)]
    for module in package.modules:
        for query in module.queries:
            found += _query(query)
    return found


def _classes(package: ir.Package) -> Iterator[Diagnostic]:
    shared = [
        (model.name, f"the composite type {model.composite}" if model.composite else f"the row class of table {model.table}")
        for model in package.models
    ]
    shared += [(enum.name, f"the enum {enum.schema}.{enum.postgres}") for enum in package.enums]
    shared += [(found.name, f"the domain of class `{found.name}`") for found in package.new_types]
    names = {name for name, _ in shared}
    constraints = [(found.name, f"the constraints of {found.table}") for found in package.constraints]
    for named in (shared, constraints):
        for (name, first), (_, second) in pairs(named, lambda pair: pair[0]):
            yield Diagnostic(
                Code.NAME_COLLISION,
                f"{first} and {second} would both be class `{name}`",
                help="rename one of them with the option `rename`, or in the schema.",
            )
    for module in package.modules:
        for query in module.queries:
            for own, kind in ((_own_row(query), "row"), (query.params_class, "parameters")):
                for what in (what for name, what in shared if name == own) if own in names else ():
                    yield Diagnostic(
                        Code.NAME_COLLISION,
                        f"the {kind} class of query {query.name} and {what} would both be class `{own}`",
                        query.source.header_place(),
                        help="rename the query.",
                    )


def _fields(package: ir.Package) -> Iterator[Diagnostic]:
    """Report fields that the kind of row class does not allow, and fields of composites that share a name."""
    reserved = _RESERVED[package.row_style]
    for module in package.modules:
        for query in module.queries:
            for field in ir.fields_of(query.result) if _has_row(query) else ():
                if field.name in reserved or (package.row_style in _WITHOUT_UNDERSCORE and field.name.startswith("_")):
                    yield Diagnostic(
                        Code.UNUSABLE_FIELD,
                        f"column `{field.name}` of query {query.name} cannot be a field where `model` is {package.row_style}",
                        query.source.header_place(),
                        help="rename it with `… AS other_name` or the option `rename`, or choose another `model`.",
                    )
    for model in package.models:
        for first, second in pairs(model.fields, lambda field: field.name) if model.composite else ():
            yield Diagnostic(
                Code.NAME_COLLISION,
                f"{_sql_name(first)} and {_sql_name(second)} of the composite type {model.composite} would both be field `{second.name}`",
                help="rename one of them with the option `rename`.",
            )


def _has_row(query: ir.Query) -> bool:
    return isinstance(ir.shape_of(query.result), ir.RowRef)


def _query(query: ir.Query) -> Iterator[Diagnostic]:
    place = query.source.header_place()
    for _, param in pairs(query.params, lambda param: param.name):
        yield Diagnostic(
            Code.NAME_COLLISION,
            f"query {query.name} has two parameters named `{param.name}`",
            place,
            help="rename one of them: sqlc.arg(other_name).",
        )
    variants = query.variants
    taken = {"order": "the choice among its @order"} if variants and variants.orders else {}
    taken |= {"cursor": "the cursor of a @page"} if variants and variants.page else {}
    for param in query.params:
        if param.name in taken:
            yield Diagnostic(
                Code.NAME_COLLISION,
                f"query {query.name} has a parameter named `{param.name}`, as {taken[param.name]} is",
                place,
                help="rename the parameter: sqlc.arg(other_name).",
            )
    fields = ir.fields_of(query.result)
    for field in fields:
        if field.numbered:
            name = field.name.rpartition("_")[0]
            yield Diagnostic(
                Code.NUMBERED_COLUMNS,
                f"query {query.name} returns several columns named `{name}`: {_sql_name(field)} becomes `{field.name}`",
                place,
                help="rename it: `… AS other_name`.",
                severity=Severity.WARNING,
            )
    for field in fields:
        if isinstance(field, ir.Embedded) and field.optional and field.presence_column is None:
            yield Diagnostic(
                Code.UNDETECTABLE_ABSENCE,
                f"query {query.name} embeds `{field.name}`, whose row may be absent, but no column of the table is NOT NULL to show when",
                place,
                help="select the columns one by one, or add a NOT NULL constraint to the table.",
            )
    if ir.shape_of(query.result) is not None and not fields:
        instead = ":batchexec" if query.takes_rows else ":exec or :execrows"
        yield Diagnostic(
            Code.WRONG_COMMAND,
            f"query {query.name} is {query.command} but returns no columns",
            place,
            help=f"use {instead}, or add a RETURNING clause; where a rule makes another kind of statement of it, nothing is returned.",
        )
    yield from _statement(query)
    for kind, name, opaque in _opaque(query):
        yield Diagnostic(
            Code.NO_PYTHON_TYPE,
            f"{kind} `{name}` of query {query.name} has type {opaque}, which has no Python type: it is annotated `object`",
            place,
            help=_FIXES.get(opaque.removesuffix("[]"), _FIX),
            severity=Severity.WARNING,
        )


def _statement(query: ir.Query) -> Iterator[Diagnostic]:
    """Report statements that the query's command cannot run, or whose result it does not describe."""
    place = query.source.header_place()
    word = first_word(query.sql)
    if word == "copy" and query.command is not ir.Command.COPYFROM:
        yield Diagnostic(
            Code.UNSUPPORTED_STATEMENT,
            f"query {query.name} is a COPY, which does not return its data as a query result",
            place,
            help="write an INSERT and use :copyfrom, or a SELECT with `-- @stream`.",
        )
    if query.command is ir.Command.EXECROWS and word not in _COUNTED:
        yield Diagnostic(
            Code.WRONG_COMMAND, f"query {query.name} is :execrows, but {word.upper()} reports no row count", place, help="use :exec."
        )


def _sql_name(field: ir.Field) -> str:
    return f'"{field.sql_name}"' if isinstance(field, ir.Column) else f"sqlc.embed({field.name})"


def _own_row(query: ir.Query) -> str:
    match ir.shape_of(query.result):
        case ir.RowRef(shared=False) as row:
            return row.row_class
        case _:
            return ""


def _opaque(query: ir.Query) -> Iterator[tuple[str, str, str]]:
    for param in query.params:
        if name := _opaque_inside(param.type):
            yield "parameter", param.name, name
    for column in ir.columns_in(ir.fields_of(query.result)):
        if name := _opaque_inside(column.type):
            yield "column", column.name, name


def _opaque_inside(found: ir.Type) -> str:
    if isinstance(found, ir.Nullable):
        return _opaque_inside(found.value)
    if isinstance(found, ir.Overridden):
        return ""
    return next((part.postgres for part in parts(found) if isinstance(part, ir.Opaque)), "")
