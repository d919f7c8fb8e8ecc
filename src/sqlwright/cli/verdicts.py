"""The verdicts on one query: finding and showing them."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from os.path import normpath
from typing import Any

from rich.text import Text

from sqlwright import ir
from sqlwright.cli.console import out
from sqlwright.diagnostics import Code, CompileError, Diagnostic, Place
from sqlwright.pipeline import Compilation
from sqlwright.postgres import standins
from sqlwright.sql.pages import Page, Turn, WherePiece, is_piece, write_page
from sqlwright.sql.sources import PlaceInQuery
from sqlwright.sql.variants import ClausePiece, groups_of, write_pieces

# The absence of a proof does not prove the contrary.
_ROWS = {
    ir.Cardinality.EXACTLY_ONE: "exactly one",
    ir.Cardinality.AT_MOST_ONE: "at most one",
    ir.Cardinality.MANY: "no limit is proven",
}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A query with the requested fields; `whole` if all are requested, so that rows and parameters are shown too.

    Of an embedded row, these are the row, whether it may be None, and its columns or the requested one of them.

    `stand_ins` are the extensions that it calls and the embedded server only declares. `variant` is the statement of the variant that was
    asked for, or "".
    """

    query: ir.Query
    fields: tuple[ir.Field, ...]
    whole: bool
    stand_ins: tuple[str, ...]
    variant: str = ""

    def show(self) -> None:
        """Print them for people."""
        query = self.query
        console = out()
        console.print(Text.assemble((query.name, "bold"), f" {query.command}  {query.source.header_place()}"))
        if self.whole:
            console.print(
                Text.assemble("  rows: ", (_ROWS[query.rows.cardinality], "bold"), f": {query.rows.reason}  ", _dim(query.rows.place))
            )
        for line in self.variant.splitlines():
            console.print(Text.assemble("  | ", line))
        for field in self.fields:
            if isinstance(field, ir.Embedded):
                reason = "exactly where its join found no match" if field.optional else "its row is always there"
                console.print(Text.assemble("  ", (field.name, "bold"), " ", _verdict(nullable=field.optional), f": {reason}"))
                columns, prefix = field.columns, f"{field.name}."
            else:
                columns, prefix = (field,), ""
            for column in columns:
                name, verdict = f"{prefix}{column.sql_name}", _verdict(nullable=isinstance(column.type, ir.Nullable))
                console.print(Text.assemble("  ", (name, "bold"), " ", verdict, f": {column.reason}  ", _dim(column.place)))
        for param in query.params if self.whole else ():
            verdict = ("may be None", "yellow") if isinstance(param.type, ir.Nullable) else ("must not be None", "green")
            optional = "may be left out, " if param.number in _optional(query) else ""
            console.print(Text.assemble("  parameter ", (param.name, "bold"), f" {optional}", verdict, f": {param.reason}"))
        for order in _orders(query) if self.whole else ():
            total = ("is total", "green") if order.total else ("is not proven total", "yellow")
            reason = order.total or "no unique key is among its columns that are never NULL"
            console.print(Text.assemble("  order ", (order.name, "bold"), " ", total, f": {reason}"))
        for extension in self.stand_ins:
            console.print(Text.assemble("  note: ", standins.explain(extension)))

    def as_json(self) -> dict[str, Any]:
        """Return them for programs. Parameters and rows are always included."""
        query = self.query
        return {
            "query": query.name,
            "command": query.command.value,
            "place": _place_json(query.source.header_place()),
            "rows": {
                "cardinality": query.rows.cardinality.value,
                "reason": query.rows.reason,
                "place": _place_json(query.rows.place.in_file()),
            },
            "columns": [
                {
                    "name": c.sql_name,
                    "nullable": isinstance(c.type, ir.Nullable),
                    "reason": c.reason,
                    "place": _place_json(c.place.in_file()) if c.place else None,
                }
                for c in ir.columns_in(self.fields)
            ],
            "embedded": [
                {"name": str(each.name), "nullable": each.optional, "columns": [c.sql_name for c in each.columns]}
                for each in self.fields
                if isinstance(each, ir.Embedded)
            ],
            "notes": [standins.explain(extension) for extension in self.stand_ins],
            "orders": [{"name": order.name, "total": bool(order.total), "reason": order.total} for order in _orders(query)],
            **({"variant": self.variant} if self.variant else {}),
            "params": [
                {
                    "name": str(p.name),
                    "nullable": isinstance(p.type, ir.Nullable),
                    "optional": p.number in _optional(query),
                    "reason": p.reason,
                }
                for p in query.params
            ],
        }


def find_query(wanted: str, compilations: tuple[Compilation, ...]) -> ir.Query:
    """Find the query of a name, which its file or its package's `out` may precede. Of queries with the same verdicts, the first is taken.

    Raises:
        CompileError: there is none of that name, or more than one.
    """
    queries = [(c.out, query) for c in compilations for module in c.package.modules for query in module.queries]
    where, _, name = wanted.rpartition(":")
    found = [(out, q) for out, q in queries if name in {q.name, q.function} and _is_in(where, out, q)]
    if not found:
        names = ", ".join(sorted({q.name for _, q in queries}))
        raise CompileError([Diagnostic(Code.UNKNOWN_QUERY, f"there is no query {wanted}", help=f"there are: {names or 'none'}.")])
    if any(find_verdicts(q, "").as_json() != find_verdicts(found[0][1], "").as_json() for _, q in found):
        places = [f"{q.source.file}:{q.name}" for _, q in found]
        if len(set(places)) < len(places):
            places = [f"{out}:{q.name}" for out, q in found]
        raise CompileError(
            [Diagnostic(Code.UNKNOWN_QUERY, f"{len(found)} queries are named {name}", help=f"specify one of {', '.join(places)}.")]
        )
    return found[0][1]


def _is_in(where: str, out: str, query: ir.Query) -> bool:
    """Whether a query is in this file or package, if one is given."""
    is_file = f"/{query.source.file}".endswith(f"/{where.removeprefix('./')}")
    return not where or is_file or normpath(where) == normpath(out)


def stand_ins_of(query: ir.Query, compilations: tuple[Compilation, ...]) -> tuple[str, ...]:
    """Return the extensions that a query calls and the embedded server only declares."""
    proofs = (
        compilation.proofs.queries[module.source_file, query.name]
        for compilation in compilations
        for module in compilation.package.modules
        if query in module.queries
    )
    return next((proof.stand_ins for proof in proofs), ())


def find_variant(query: ir.Query, without: list[str], order: str) -> str:
    """Return the statement of a query's variant; "" for one without pages and without `@patch`, if none is asked for.

    Raises:
        CompileError: the query has no such optional parameter or order.
    """
    variants = query.variants or ir.Variants((), (), ())
    assigned = {number for piece in variants.pieces if isinstance(piece, ClausePiece) and piece.assigns for number in _params_of(piece)}
    if not (without or order or variants.page or assigned):
        return ""
    numbers = {str(param.name): param.number for param in query.params if param.number in variants.optional}
    for what, wanted, known in (
        ("optional parameter", without, list(numbers)),
        ("order", [order] * bool(order), [order.name for order in _orders(query)]),
    ):
        for name in wanted:
            if name not in known:
                raise CompileError(
                    [
                        Diagnostic(
                            Code.UNKNOWN_PARAMETER,
                            f"query {query.name} has no {what} `{name}`",
                            query.source.header_place(),
                            help=f"it has {', '.join(known) or 'none'}.",
                        )
                    ]
                )
    omitted = {numbers[name] for name in without}
    clauses = [piece.clause if isinstance(piece, WherePiece) else piece for piece in variants.pieces]
    parts = [params for piece in clauses if isinstance(piece, ClausePiece) for _, params in piece.parts]
    # Parameters that share a condition are left out together.
    omitted |= {number for group in groups_of(parts) if not omitted.isdisjoint(group) for number in group}
    if variants.page is not None:
        return _pages(query, variants.page, omitted, order)
    if variants.unchanged is not None and assigned <= omitted:
        return _write_unchanged(variants.unchanged, omitted)
    return write_pieces(filter(is_piece, variants.pieces), len(query.params), omitted, order).sql


def _orders(query: ir.Query) -> tuple[ir.Order, ...]:
    """Return the orders of a query, the default first; those of pages without `@order` too."""
    variants = query.variants
    if variants is None or variants.orders or variants.page is None:
        return variants.orders if variants else ()
    return tuple(ir.Order(order.name, order.total) for order in variants.page.orders)


def _pages(query: ir.Query, page: Page, omitted: AbstractSet[int], order: str) -> str:
    """Return the statements of the pages of a variant."""
    chosen = next((each for each in page.orders if each.name == order), page.orders[0])
    turns = {"the first page": Turn(order)}
    for words, backwards, conditions in (("after", False, chosen.after), ("before", True, chosen.before)):
        for nulls, _ in conditions:
            which = " and ".join(chosen.keys[index] for index in nulls)
            turns[f"the page {words} a row" + (f" where {which} IS NULL" if nulls else "")] = Turn(order, backwards, nulls)
    turns["the last page"] = Turn(order, backwards=True)
    pieces = query.variants.pieces if query.variants else ()
    return "\n\n".join(f"-- {name}\n{write_page(pieces, len(query.params), turn, omitted).sql}" for name, turn in turns.items())


def _params_of(clause: ClausePiece) -> set[int]:
    return {number for _, params in clause.parts for number in params}


def _write_unchanged(select: ir.Selecting, omitted: set[int]) -> str:
    own = {number: index for index, number in enumerate(select.params, start=1)}
    return write_pieces(select.pieces, len(select.params), {own[number] for number in omitted if number in own}).sql


def find_verdicts(query: ir.Query, column: str, stand_ins: tuple[str, ...] = (), variant: str = "") -> Verdicts:
    """Find the verdicts on a column by its SQL name or its field's name, or on the whole query if the name is "".

    An embedded row has its field's name, `author`, and its columns have that name too, `author.id`.

    Raises:
        CompileError: the query returns no such column.
    """
    every = ir.fields_of(query.result)
    fields = tuple(found for field in every for found in _wanted(field, column))
    if column and not fields:
        names = ", ".join(name for field in every for name in _names(field)) or "none"
        raise CompileError(
            [Diagnostic(Code.UNKNOWN_COLUMN, f"query {query.name} returns no column `{column}`", help=f"its columns: {names}.")]
        )
    return Verdicts(query, fields, whole=not column, stand_ins=stand_ins, variant=variant)


def _wanted(field: ir.Field, name: str) -> Iterator[ir.Field]:
    """Return a field if it has this name, or the name is ""; of an embedded row, those of its columns that have it."""
    if not isinstance(field, ir.Embedded):
        if name in {"", field.sql_name, field.name}:
            yield field
        return
    if name in {"", field.name}:
        yield field
        return
    columns = tuple(c for c in field.columns if name in {c.sql_name, c.name, f"{field.name}.{c.sql_name}", f"{field.name}.{c.name}"})
    if columns:
        yield replace(field, columns=columns)


def _names(field: ir.Field) -> Iterator[str]:
    if isinstance(field, ir.Embedded):
        yield str(field.name)
        yield from (f"{field.name}.{column.sql_name}" for column in field.columns)
    else:
        yield field.sql_name


def _verdict(*, nullable: bool) -> tuple[str, str]:
    return ("may be None", "yellow") if nullable else ("is never None", "green")


def _optional(query: ir.Query) -> tuple[int, ...]:
    return query.variants.optional if query.variants else ()


def _place_json(place: Place) -> dict[str, Any]:
    """Return a place as editors count: lines and columns from 1, the end column after the last character."""
    return {"file": place.file, "line": place.line, "column": place.column, "end_column": place.column + place.width}


def _dim(place: PlaceInQuery | None) -> tuple[str, str]:
    return (f"({place.in_file()})" if place else "", "dim")
