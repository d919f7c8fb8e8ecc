"""Common table expressions, recursive ones to a fixed point."""

from __future__ import annotations

from dataclasses import replace

from sqlwright.prove.rules.queries.outputs import outputs
from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.rules.verdicts import Nullability, Verdict, never_null
from sqlwright.prove.tree.nodetree import Node, Unrecognised
from sqlwright.prove.tree.querytree import RangeEntry


def cte_column(prover: Prover, at: Scope, entry: RangeEntry, attribute: int) -> Verdict:
    """Return the verdict on a column of a common table expression."""
    item, scope = at.common_table(entry)
    verdicts = _columns(prover, item, scope)
    if attribute <= len(verdicts):
        return verdicts[attribute - 1]
    extra = _search_and_cycle(prover, item, scope)
    if attribute <= len(verdicts) + len(extra):
        return extra[attribute - len(verdicts) - 1]
    raise Unrecognised(f"no column {attribute} of a WITH item")


def _columns(prover: Prover, item: Node, scope: Scope) -> tuple[Verdict, ...]:
    node = item.node("ctequery")
    if not item.flag("cterecursive"):
        return outputs(prover, node, scope)
    key = (id(node), id(scope))
    if key in prover.assumed:
        return prover.assumed[key]
    prover.kept_scopes[id(scope)] = scope
    # By induction over the iterations: what the first arm has, and the second arm keeps when its input has it, every row has. Start with
    # the strongest assumption and weaken it until it carries itself.
    width = len(prover.query(_leftmost(prover, node)).outputs)
    assumption = tuple(never_null("both arms of the recursion give a value", element_nullable=False) for _ in range(width))
    settled = dict(prover.outputs)
    while True:
        prover.assumed[key] = assumption
        found = outputs(prover, node, scope)
        prover.outputs = dict(settled)
        if len(found) != width:
            raise Unrecognised("the arms of a recursion differ in width")
        weaker = tuple(
            old if old.nullable >= new.nullable and old.element_nullable >= new.element_nullable else _weaker(old, new)
            for old, new in zip(assumption, found, strict=True)
        )
        if weaker == assumption:
            return assumption
        assumption = weaker


def _weaker(old: Verdict, new: Verdict) -> Verdict:
    chosen = new if new.nullable and not old.nullable else old
    elements = old.element_nullable or new.element_nullable
    return replace(chosen, nullability=Nullability(nullable=chosen.nullable, element_nullable=elements))


def _leftmost(prover: Prover, node: Node) -> Node:
    """Return the first arm of a set operation, which names the columns."""
    query = prover.query(node)
    arm = query.set_operations
    while arm is not None and arm.tag == "SETOPERATIONSTMT":
        arm = arm.node("larg")
    return query.entry(arm.number("rtindex")).node.node("subquery") if arm is not None else node


def _search_and_cycle(prover: Prover, item: Node, scope: Scope) -> list[Verdict]:
    """Return the columns that SEARCH and CYCLE add, in this order: the sequence, the mark, the path."""
    found: list[Verdict] = []
    if item.has("search_clause"):
        found.append(never_null("the column of SEARCH is filled for every row", element_nullable=False))
    if item.has("cycle_clause"):
        clause = item.node("cycle_clause")
        marks = (clause.node("cycle_mark_value"), clause.node("cycle_mark_default"))
        nullable = prover.first_nullable(marks, scope)
        found.append(nullable or never_null("the mark of CYCLE is one of two constants", element_nullable=False))
        found.append(never_null("the path of CYCLE is filled for every row", element_nullable=False))
    return found
