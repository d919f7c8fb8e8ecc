# ruff: noqa: ARG001 - all rules have one signature
"""Conditions: expressions of type boolean with SQL's three-valued logic."""

from __future__ import annotations

from sqlwright.prove.catalog.objects import FIRST_USER_OID
from sqlwright.prove.rules import narrowing
from sqlwright.prove.rules.expressions.functions import operator_is_total
from sqlwright.prove.rules.narrowing import Ground
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.rules.verdicts import Verdict, may_be_null, never_null
from sqlwright.prove.tree.enums import BoolExprType
from sqlwright.prove.tree.expressions import location
from sqlwright.prove.tree.nodetree import Node


def test(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """IS NULL, IS TRUE and the like are never NULL themselves."""
    return never_null("the test answers true or false for NULL too", location(node))


def distinct(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """IS DISTINCT FROM compares other values by the type's `=`, and a user's operator may return NULL."""
    if not operator_is_total(prover, node):
        return may_be_null("the operator may return NULL", location(node))
    return never_null("the test answers true or false for NULL too", location(node))


def boolean(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """AND, OR and NOT of conditions that are never NULL. AND looks no further once one is false, so a later one may rely on the earlier."""
    operation = BoolExprType(node.text("boolop"))
    for argument in node.nodes("args"):
        verdict = prover.verdict(argument, scope)
        if verdict.nullable:
            return verdict
        match operation:
            case BoolExprType.AND:
                scope = scope.knowing(narrowing.true(Ground(prover, scope), argument))
            case BoolExprType.OR:
                scope = scope.knowing(narrowing.not_true(Ground(prover, scope), argument))
            case BoolExprType.NOT:
                pass
    return never_null("none of the conditions is ever NULL", location(node))


def any_or_all(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """`x = ANY (array)` is NULL when an element is NULL and none is equal."""
    left, right = node.nodes("args")
    if not operator_is_total(prover, node):
        return may_be_null("the operator may return NULL", location(node))
    value, elements = prover.verdict(left, scope), prover.verdict(right, scope)
    if value.nullable:
        return value
    if elements.nullable:
        return elements
    if elements.element_nullable:
        return may_be_null("the array may hold NULL, and a comparison with NULL is NULL", location(right))
    return never_null("neither the value nor an element of the array is NULL", location(node))


def row_comparison(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """`(a, b) < (c, d)` over columns that are not NULL; its operators are those of btree families, built-in types only."""
    if any(operator >= FIRST_USER_OID for operator in node.numbers("opnos")):
        return may_be_null("the operator may return NULL", location(node))
    nullable = prover.first_nullable([*node.nodes("largs"), *node.nodes("rargs")], scope)
    return nullable or never_null("none of the compared values is NULL", location(node))


def is_json(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """IS JSON is NULL for NULL only."""
    return prover.verdict(node.node("expr"), scope)
