"""The columns that a query returns, and the scope that they are judged in."""

from __future__ import annotations

from dataclasses import replace

from sqlwright.prove.rules import narrowing
from sqlwright.prove.rules.queries import returning
from sqlwright.prove.rules.rows import cardinality
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.rules.verdicts import Verdict, both, either
from sqlwright.prove.tree.enums import CmdType, SetOperation
from sqlwright.prove.tree.nodetree import Node, Unrecognised
from sqlwright.prove.tree.querytree import Query


def outputs(prover: Prover, node: Node, parent: Scope | None) -> tuple[Verdict, ...]:
    """Return the verdicts on the columns that a query returns; `parent` is the scope that the query stands in."""
    key = (id(node), id(parent))
    if key not in prover.outputs:
        if parent is not None:
            prover.kept_scopes[id(parent)] = parent
        prover.outputs[key] = _judge(prover, prover.query(node), parent)
    return prover.outputs[key]


def _judge(prover: Prover, query: Query, parent: Scope | None) -> tuple[Verdict, ...]:
    operations = query.set_operations
    if query.command is CmdType.SELECT and operations is not None:
        return _set_operation(prover, operations, query, Scope(query, parent))
    scope = scope_of(prover, query, parent)
    return tuple(prover.verdict(entry.expression, scope) for entry in query.outputs)


def scope_of(prover: Prover, query: Query, parent: Scope | None) -> Scope:
    """Return the scope of the columns that a query returns: of the target list of a SELECT, else of RETURNING."""
    if query.command is not CmdType.SELECT:
        return returning.scope_of(prover, query, parent)
    rows = Scope(query, parent)
    rows.known = narrowing.row_facts(prover, rows)
    if not query.groups:
        return rows
    # A group without rows has a row all the same, of which WHERE says nothing.
    scope = replace(rows, row=rows, known=rows.known if cardinality.group_has_rows(prover, rows) else frozenset())
    having = query.having
    return scope.knowing(narrowing.true(narrowing.Ground(prover, scope), having)) if having is not None else scope


def _set_operation(prover: Prover, node: Node, query: Query, scope: Scope) -> tuple[Verdict, ...]:
    """Return the verdicts on a set operation: rows of UNION come from either side, of INTERSECT from both, of EXCEPT from the left."""
    if node.tag == "RANGETBLREF":
        return outputs(prover, query.entry(node.number("rtindex")).node.node("subquery"), scope)
    if node.tag != "SETOPERATIONSTMT":
        raise Unrecognised(f"{node.tag} as a set operation")
    left = _set_operation(prover, node.node("larg"), query, scope)
    operation = node.enum("op", SetOperation)
    if operation is SetOperation.EXCEPT:
        return left
    right = _set_operation(prover, node.node("rarg"), query, scope)
    if len(left) != len(right):
        raise Unrecognised("the sides of a set operation differ in width")
    combined = either if operation is SetOperation.UNION else both
    return tuple(combined(pair) for pair in zip(left, right, strict=True))
