"""`sqlc.embed`: which table's row it is, and whether the row may be absent.

Columns are matched by what they are: the range table entry and the attribute number of each. A row is absent where an outer join found no
partner for its own range table entry, whatever its columns hold; what a view holds NULL does not make the view's row absent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlwright.prove.nodetree import Node, Unrecognised
from sqlwright.prove.nullability import Prover, Scope, Verdict
from sqlwright.prove.querytree import MERGE, RELATION, SELECT
from sqlwright.prove.rules import queries, returning
from sqlwright.prove.stars import column_below_grouping


@dataclass(frozen=True, slots=True)
class EmbedProof:
    """A row of `relation`: the attribute number of each column, and the verdict on it in a row that is there. `absent`: it need not be."""

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
    scope = queries.scope_of(prover, query, None) if query.command == SELECT else returning.scope_of(prover, query, None)
    columns = [entry.expression for entry in query.outputs[first : first + count]]
    below = [column_below_grouping(query, column) for column in columns]
    items = {column.number("varno") for column in below if column.tag == "VAR"}
    if len(items) != 1 or any(column.tag != "VAR" for column in below):
        raise Unrecognised("columns of several items")
    (item,) = items
    entry = query.entry(item)
    if entry.kind != RELATION:
        raise Unrecognised("no table")
    attributes = tuple(column.number("varattno") for column in below)
    if scope.written is not None and (item == query.result_relation or query.command == MERGE):
        found = [prover.verdict(column, scope) for column in columns]
        absent = any(verdict.absent_row for verdict in found)
        there = replace(scope, written=None) if item != query.result_relation else scope
        return EmbedProof(
            entry.relation, attributes, tuple(_present(prover, c, there, v) for c, v in zip(columns, found, strict=True)), absent
        )
    events = scope.tree.path(item)
    there = _knowing(scope, events)
    remaining = [event for event in events if ("event", *event) not in scope.known and all(_may_null(c, event[0]) for c in below)]
    return EmbedProof(entry.relation, attributes, tuple(prover.verdict(column, there) for column in columns), bool(remaining))


def _may_null(column: Node, join: int) -> bool:
    """Whether a join null-extends the column; before PostgreSQL 16, the tree does not say."""
    return "varnullingrels" not in column.fields or join in column.numbers("varnullingrels")


def _knowing(scope: Scope, events: tuple[tuple[int, str], ...]) -> Scope:
    findings = [("event", *event) for event in events]
    known = scope.knowing(findings)
    return replace(known, row=known.row.knowing(findings)) if known.row is not None else known


def _present(prover: Prover, column: Node, scope: Scope, found: Verdict) -> Verdict:
    """The verdict on a column of RETURNING in a row that is there."""
    if not found.absent_row:
        return found
    return prover.verdict(column, scope) if scope.written is None else replace(found, nullable=not found.witness)
