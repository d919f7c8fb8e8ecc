"""Subqueries inside expressions."""

from __future__ import annotations

from dataclasses import replace

from sqlwright.prove.rules.exprtypes import is_array
from sqlwright.prove.rules.queries.outputs import outputs
from sqlwright.prove.rules.rows import cardinality
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.rules.verdicts import Verdict, may_be_null, never_null
from sqlwright.prove.tree.enums import SubLinkType
from sqlwright.prove.tree.expressions import location
from sqlwright.prove.tree.nodetree import Node


def sublink(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """EXISTS, IN, ANY, ALL, ARRAY(…) and scalar subqueries."""
    kind, place = node.enum("subLinkType", SubLinkType), location(node)
    if kind is SubLinkType.EXISTS:
        return never_null("EXISTS is true or false", place)
    subquery = node.node("subselect")
    columns = outputs(prover, subquery, scope)
    if kind is SubLinkType.ARRAY:
        # Over arrays it makes one of more dimensions, whose elements are theirs.
        gathers = is_array(prover.facts, prover.query(subquery).outputs[0].expression)
        holes = gathers is None or (columns[0].element_nullable if gathers else columns[0].nullable)
        return never_null("ARRAY(…) is an array, empty when the subquery finds nothing", place, element_nullable=holes)
    if kind in (SubLinkType.ANY, SubLinkType.ALL):
        return prover.verdict(node.node("testexpr"), replace(scope, sublink=columns))
    if kind in (SubLinkType.EXPR, SubLinkType.ROWCOMPARE):
        rows = cardinality.rows_of(prover, subquery, scope)
        if not rows.at_least_one:
            return may_be_null("the subquery is NULL when it finds no row", place, element_nullable=columns[0].element_nullable)
        if kind is SubLinkType.ROWCOMPARE:
            return prover.verdict(node.node("testexpr"), replace(scope, sublink=columns))
        return columns[0].without_row()
    return may_be_null("a subquery that sets several columns may find no row", place)
