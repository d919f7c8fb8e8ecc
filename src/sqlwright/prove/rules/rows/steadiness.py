"""Whether an expression has the same value throughout a statement, for the same columns.

That of a stable function is, unless the statement changes what it depends on: `set_config` in a trigger or in the target list makes
`current_setting('app.id')` return another value for the next row. So where settings may change, only what is immutable is steady, and the
few functions that depend on the transaction alone.
"""

from __future__ import annotations

from sqlwright.prove.rules.exprtypes import type_of
from sqlwright.prove.rules.scopes import Prover
from sqlwright.prove.rules.volatility import called, is_volatile_itself, reached
from sqlwright.prove.tree.enums import BuiltinType, SQLValueFunctionOp
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Tree

_FIXED = (SQLValueFunctionOp.CURRENT_TIMESTAMP, SQLValueFunctionOp.CURRENT_TIMESTAMP_N, SQLValueFunctionOp.CURRENT_CATALOG)
# Comparisons across types, conversions from and to text: whether they depend on a setting is not looked at.
_DEPENDENT = frozenset({"JSONCONSTRUCTOREXPR", "JSONEXPR", "ROWCOMPAREEXPR", "XMLEXPR", "XMLSERIALIZE"})


def is_steady(prover: Prover, tree: Tree) -> bool:
    """Return whether a tree, and what is behind the relations in it, is steady."""
    return all(is_steady_itself(prover, node) for node in reached(prover.facts, tree))


def is_steady_itself(prover: Prover, node: Node) -> bool:
    """Return whether a node is steady, apart from what it holds."""
    return not is_volatile_itself(prover.facts, node) and not (_depends_on_settings(prover, node) and prover.settings_may_change)


def _depends_on_settings(prover: Prover, node: Node) -> bool:
    function = called(node)
    if function is not None:
        return prover.facts.function(function).depends_on_settings
    match node.tag:
        case "SQLVALUEFUNCTION":
            return node.enum("op", SQLValueFunctionOp) not in _FIXED
        case "COERCEVIAIO":
            return not all(prover.facts.type(oid).immutable_io for oid in _converted(prover, node))
        case tag:
            return tag in _DEPENDENT


def _converted(prover: Prover, node: Node) -> tuple[int, ...]:
    """Return the types that a conversion by text is between; the pseudo-type of all records, which is not immutable, if one is unknown."""
    try:
        return node.number("resulttype"), type_of(prover.facts, node.node("arg"))
    except UNREADABLE:
        return (BuiltinType.RECORD,)
