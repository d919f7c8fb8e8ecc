# ruff: noqa: ARG001 - all rules have one signature
"""Values: constants, parameters, casts, constructors, and the expressions that choose between values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlwright.prove.rules import narrowing
from sqlwright.prove.rules.narrowing import Ground
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.rules.verdicts import Nullability, Verdict, both, either, may_be_null, never_null
from sqlwright.prove.tree.enums import ParamKind, SQLValueFunctionOp
from sqlwright.prove.tree.expressions import location
from sqlwright.prove.tree.nodetree import Node, Unrecognised
from sqlwright.prove.tree.rowfacts import ParameterPresent

_BITMAP = slice(9, 13)  # in an array: after the length, the third word of four bytes


def constant(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """A constant; of an array, the bytes show whether it has a NULL bitmap (its offset, the third word, is not 0)."""
    if node.flag("constisnull"):
        return may_be_null("it is the constant NULL", location(node))
    holes = True
    value = node.raw("constvalue")
    if prover.facts.is_array(node.number("consttype")) and isinstance(value, list):
        holes = any(byte != "0" for byte in value[_BITMAP]) or len(value) < _BITMAP.stop
    return never_null("it is a constant", location(node), element_nullable=holes)


def parameter(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """A parameter of the statement, or a column of the subquery that is compared with."""
    kind, number = node.enum("paramkind", ParamKind), node.number("paramid")
    if kind is ParamKind.SUBLINK:
        if not 1 <= number <= len(scope.sublink):
            raise Unrecognised("a column of a subquery that is not there")
        return scope.sublink[number - 1]
    if kind is not ParamKind.EXTERN:
        return may_be_null("it is a column of a subquery, which may find no row", location(node))
    holes = number in prover.nullable_elements
    if number not in prover.nullable_params:
        return never_null(f"the parameter ${number} is never None", location(node), element_nullable=holes)
    if ParameterPresent(number) in scope.known:
        return never_null(f"a condition drops all rows when ${number} is None", location(node), element_nullable=holes)
    return may_be_null(f"the parameter ${number} may be None", location(node), element_nullable=holes)


def same_value(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """The value itself under another type or collation."""
    return prover.verdict(node.node("arg"), scope)


def converted_by_text(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """A cast through the text form: built-in output and input functions never turn a value into NULL."""
    if not prover.facts.type(node.number("resulttype")).builtin_io:
        return may_be_null("the input function of a user's type may return NULL", location(node))
    return prover.verdict(node.node("arg"), scope).with_elements(nullable=True)


def converted_array(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """A cast of an array, element by element."""
    array = prover.verdict(node.node("arg"), scope)
    element = Verdict(Nullability(nullable=array.element_nullable, element_nullable=True), array.reason, array.location)
    return array.with_elements(nullable=prover.verdict(node.node("elemexpr"), replace(scope, test=element, test_node=None)).nullable)


def checked_by_domain(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """A cast to a domain; one that is NOT NULL refuses NULL."""
    inner = prover.verdict(node.node("arg"), scope)
    if prover.facts.is_strict_domain(node.number("resulttype")):
        name = prover.facts.type(node.number("resulttype")).name
        return never_null(f"the cast to the domain `{name}` refuses NULL", location(node), element_nullable=inner.element_nullable)
    return inner


def tested_value(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """The value that a simple CASE or an element-wise cast is applied to."""
    if scope.test is None:
        raise Unrecognised("a test value outside of CASE")
    return scope.test


def coalesce(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """COALESCE returns its first value that is not NULL."""
    verdicts = [prover.verdict(argument, scope) for argument in node.nodes("args")]
    return _any_of(verdicts, "every argument of COALESCE may be NULL", location(node))


def greatest(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """GREATEST and LEAST ignore NULLs."""
    verdicts = [prover.verdict(argument, scope) for argument in node.nodes("args")]
    return _any_of(verdicts, "every argument of GREATEST or LEAST may be NULL", location(node))


def _any_of(verdicts: Sequence[Verdict], otherwise: str, place: int | None) -> Verdict:
    elements = any(v.element_nullable for v in verdicts)
    chosen = both(verdicts)
    if chosen.nullable:
        reason = chosen.reason if len(verdicts) == 1 else f"{otherwise}: {chosen.reason}"
        return may_be_null(reason, place, element_nullable=elements)
    return never_null(chosen.reason, chosen.location, element_nullable=elements)


def nullif(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """NULLIF may always return NULL."""
    return may_be_null("NULLIF gives NULL when both are equal", location(node))


def case(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """CASE: every result that can be reached must be proven, each with what its condition implies."""
    test = node.optional("arg")
    inner = scope if test is None else replace(scope, test=prover.verdict(test, scope), test_node=test)
    verdicts: list[Verdict] = []
    for branch in node.nodes("args"):
        condition = branch.node("expr")
        verdicts.append(prover.verdict(branch.node("result"), scope.knowing(narrowing.true(Ground(prover, inner), condition))))
        refused = narrowing.not_true(Ground(prover, inner), condition)
        scope, inner = scope.knowing(refused), inner.knowing(refused)
    otherwise = node.optional("defresult")
    if otherwise is None or (otherwise.tag == "CONST" and otherwise.flag("constisnull")):
        return may_be_null("CASE without ELSE gives NULL when no condition is true", location(node))
    verdicts.append(prover.verdict(otherwise, scope))
    return either(verdicts)


def array(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """ARRAY[…] is an array whatever is in it."""
    verdicts = [prover.verdict(element, scope) for element in node.nodes("elements")]
    nested = node.flag("multidims")
    holes = any(v.element_nullable if nested else v.nullable for v in verdicts)
    return never_null("ARRAY[…] is never NULL itself", location(node), element_nullable=holes)


def row(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """ROW(…) is a row whatever is in it."""
    return never_null("ROW(…) is never NULL itself", location(node))


def subscript(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """A slice of an array is an array, empty if need be; an element may lie outside of it."""
    container = prover.verdict(node.node("refexpr"), scope)
    bounds = [*node.items("refupperindexpr"), *node.items("reflowerindexpr")]
    if not node.items("reflowerindexpr") or node.has("refassgnexpr") or not prover.facts.is_array(node.number("refcontainertype")):
        return may_be_null("a subscript gives NULL where there is no such element", location(node))
    bound = prover.first_nullable((b for b in bounds if isinstance(b, Node)), scope)
    if bound is not None:
        return bound.with_elements(nullable=container.element_nullable)
    return container


def field(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """A field of a composite value: proven only where the value is written out as ROW(…)."""
    argument = node.node("arg")
    if argument.tag == "ROWEXPR":
        fields = argument.nodes("args")
        number = node.number("fieldnum")
        if 1 <= number <= len(fields):
            return prover.verdict(fields[number - 1], scope)
    return may_be_null("a field of a composite value may be NULL", location(node))


def value_function(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """CURRENT_DATE and the like always have a value; CURRENT_SCHEMA is NULL when the search path is empty."""
    if node.enum("op", SQLValueFunctionOp) is SQLValueFunctionOp.CURRENT_SCHEMA:
        return may_be_null("CURRENT_SCHEMA is NULL when no schema of the search path exists", location(node))
    return never_null("the session and the clock always have a value", location(node))


def always_there(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """GROUPING() is a bit mask, merge_action() a word."""
    return never_null("it always has a value", location(node))
