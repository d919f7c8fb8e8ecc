"""`sqlc.embed`: which table's row it is, and whether the row may be absent.

Columns are matched by what they are: the range table entry and the attribute number of each. A row is absent where an outer join found no
partner for its own range table entry, whatever its columns hold; NULLs inside a view do not make the view's row absent. A subquery or
WITH item that passes on the columns of one table passes on its rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlwright.prove.rules.queries.outputs import scope_of
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.rules.verdicts import Nullability, Verdict
from sqlwright.prove.tree.enums import CmdType, RTEKind
from sqlwright.prove.tree.expressions import column_below_grouping
from sqlwright.prove.tree.nodetree import Node, Unrecognised
from sqlwright.prove.tree.rowfacts import JoinMatched, NullExtension


@dataclass(frozen=True, slots=True)
class EmbedProof:
    """A row of `relation`: the attribute number of each column, and its verdict in a row that is present. `absent`: it may not be."""

    relation: int
    attributes: tuple[int, ...]
    present: tuple[Verdict, ...]
    absent: bool


def prove_embed(prover: Prover, tree: Node, first: int, count: int) -> EmbedProof:
    """Prove the row that these columns of a statement are.

    Raises:
        Unrecognised: they are not the columns of one table.
    """
    query = prover.query(tree)
    if query.set_operations is not None:
        raise Unrecognised("a set operation")
    scope = scope_of(prover, query, None)
    columns = [entry.expression for entry in query.outputs[first : first + count]]
    below = [column_below_grouping(query, column) for column in columns]
    items = {column.number("varno") for column in below if column.tag == "VAR"}
    if len(items) != 1 or any(column.tag != "VAR" for column in below):
        raise Unrecognised("columns of several items")
    (item,) = items
    sources = [_source(prover, scope, item, column.number("varattno")) for column in below]
    if len({(source.path, source.relation) for source in sources}) != 1:
        raise Unrecognised("columns of several tables")
    relation, attributes = sources[0].relation, tuple(source.attribute for source in sources)
    if scope.written is not None and (item == query.result_relation or query.command is CmdType.MERGE):
        found = [prover.verdict(column, scope) for column in columns]
        absent = any(verdict.nullability.null_extended for verdict in found)
        there = replace(scope, written=None) if item != query.result_relation else scope
        return EmbedProof(relation, attributes, tuple(_present(prover, c, there, v) for c, v in zip(columns, found, strict=True)), absent)
    events = scope.tree.path(item)
    there = _knowing(scope, events)
    remaining = [event for event in events if JoinMatched(event) not in scope.known and all(_may_null(c, event.join) for c in below)]
    return EmbedProof(relation, attributes, tuple(prover.verdict(column, there) for column in columns), bool(remaining))


@dataclass(frozen=True, slots=True)
class _Source:
    """A column of a table, and the path of range table entries to it, from the outermost query inwards."""

    path: tuple[int, ...]
    relation: int
    attribute: int


def _source(prover: Prover, scope: Scope, item: int, attribute: int) -> _Source:
    """Return the table column behind a column that subqueries and WITH items pass on unchanged."""
    entry = scope.query.entry(item)
    match entry.kind:
        case RTEKind.RELATION:
            return _Source((item,), entry.relation, attribute)
        case RTEKind.SUBQUERY:
            node, at = entry.node.node("subquery"), scope
        case RTEKind.CTE if not entry.node.flag("self_reference"):
            table, at = scope.common_table(entry)
            node = table.node("ctequery")
        case _:
            raise Unrecognised("no table")
    query = prover.query(node)
    if query.set_operations is not None or query.command is not CmdType.SELECT or attribute > len(query.outputs):
        raise Unrecognised("a set operation, rows of RETURNING, or a column of SEARCH or CYCLE")
    column = column_below_grouping(query, query.outputs[attribute - 1].expression)
    if column.tag != "VAR" or column.number("varlevelsup"):
        raise Unrecognised("an expression")
    inner = _source(prover, scope_of(prover, query, at), column.number("varno"), column.number("varattno"))
    return replace(inner, path=(item, *inner.path))


def _may_null(column: Node, join: int) -> bool:
    """Return whether a join null-extends the column; before PostgreSQL 16, the tree does not say."""
    return "varnullingrels" not in column.fields or join in column.numbers("varnullingrels")


def _knowing(scope: Scope, events: tuple[NullExtension, ...]) -> Scope:
    matched = [JoinMatched(event) for event in events]
    known = scope.knowing(matched)
    return replace(known, row=known.row.knowing(matched)) if known.row is not None else known


def _present(prover: Prover, column: Node, scope: Scope, found: Verdict) -> Verdict:
    """Return the verdict on a column of RETURNING in a row that is present."""
    if not found.nullability.null_extended:
        return found
    if scope.written is None:
        return prover.verdict(column, scope)
    there = Nullability(nullable=not found.nullability.presence_column, element_nullable=found.element_nullable)
    return replace(found, nullability=there)
