"""Which parameters may be None: `sqlc.narg` asks for it, the query tests it for NULL, or it is written to a column that accepts NULL.

A test (`$1 IS NULL`) shows that its author expects NULL, whatever else the parameter is used for, unless it is also written to a column
that refuses NULL. Without a test every use must agree, since it is one value: a parameter that is also compared may not be None. The way
into a column may pass through casts, VALUES lists, subqueries, and `unnest`, where the elements of an array may be None. A parameter that a
cast makes one of a domain that refuses NULL is never None: PostgreSQL checks it when it reads the parameter, before any test.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.rules.verdicts import Nullability, ParamProof
from sqlwright.prove.shape.writes import Use, uncast, writes
from sqlwright.prove.tree.enums import BoolTestType, NullTestType, TypType
from sqlwright.prove.tree.expressions import is_parameter
from sqlwright.prove.tree.nodetree import Node, Tree, walk
from sqlwright.prove.tree.querytree import null_test

_COUNTS_OF_NULLS = frozenset({'num_nulls("any")', 'num_nonnulls("any")'})


def judge(facts: SchemaFacts, tree: Node, count: int, optional: frozenset[int]) -> tuple[ParamProof, ...]:
    """Return the proofs of the parameters $1 to $count of a statement."""
    uses: dict[int, list[Use | None]] = defaultdict(list)
    written = writes(facts, tree)
    tests = {id(node): words for node, words in _tests(facts, tree)}
    tested: dict[int, str] = {}
    types: dict[int, int] = {}
    for node in walk(tree):
        if is_parameter(node):
            types[node.number("paramid")] = node.number("paramtype")
            if id(node) in tests:
                tested[node.number("paramid")] = tests[id(node)]
            else:
                uses[node.number("paramid")].append(written.get(id(node)))
    return tuple(
        _as_read(facts, types[number], proof, optional=number in optional) if number in types else proof
        for number in range(1, count + 1)
        for proof in [_judge(optional=number in optional, test=tested.get(number), uses=uses[number])]
    )


def _as_read(facts: SchemaFacts, oid: int, proof: ParamProof, *, optional: bool) -> ParamProof:
    """Return the proof of a parameter of a type, which refuses NULL if it is a domain that does, whatever becomes of the value."""
    if facts.type(oid).kind is TypType.DOMAIN and facts.refusals.by_domain(oid):
        domain = f"the domain `{facts.type(oid).name}`"
        if optional:
            return replace(proof, refused_by=proof.refused_by or domain)
        elements = Nullability(nullable=False, element_nullable=proof.element_nullable)
        return ParamProof(elements, f"it is cast to {domain}, which refuses NULL")
    if proof.element_nullable and facts.refuses_elements(oid):
        return replace(proof, nullability=replace(proof.nullability, element_nullable=False))
    return proof


def _tests(facts: SchemaFacts, tree: Tree) -> Iterator[tuple[Node, str]]:
    """Find each PARAM node that is tested for NULL, and the test in words. A cast that keeps NULL may stand between."""
    for node in walk(tree):
        found: list[Node] = []
        words = ""
        match node.tag:
            case "NULLTEST":
                argument = node.node("arg")
                found = argument.nodes("args") if argument.tag == "ROWEXPR" else [argument]
                words = "IS NULL" if null_test(node) is NullTestType.IS_NULL else "IS NOT NULL"
            case "BOOLEANTEST" if node.enum("booltesttype", BoolTestType) in (BoolTestType.IS_UNKNOWN, BoolTestType.IS_NOT_UNKNOWN):
                found, words = [node.node("arg")], "IS UNKNOWN"
            case "DISTINCTEXPR":
                found, words = node.nodes("args"), "IS DISTINCT FROM"
            case "COALESCEEXPR":
                # What follows an argument counts only where that is NULL. Nothing follows the last.
                found, words = node.nodes("args")[:-1], "COALESCE"
            case "FUNCEXPR" if facts.function(node.number("funcid")).signature in _COUNTS_OF_NULLS and not node.flag("funcvariadic"):
                found, words = node.nodes("args"), facts.function(node.number("funcid")).name
            case _:
                pass
        for tested in (uncast(facts, part) for part in found):
            if is_parameter(tested):
                yield tested, words


def _judge(*, optional: bool, test: str | None, uses: list[Use | None]) -> ParamProof:
    elements = bool(uses) and all(use is not None and (use.whole or (use.elements and use.accepts_null)) for use in uses)
    direct = [use for use in uses if use is not None and not use.elements]
    refusing = next((use for use in direct if not use.accepts_null), None)
    nullable = False
    if optional:
        nullable, reason = True, "sqlc.narg allows None"
    elif refusing is not None:
        reason = f"it is written to {refusing.column}, which refuses NULL"
    elif test is not None:
        nullable, reason = True, f"the query itself tests whether it is NULL, by {test}"
    elif not direct:
        reason = "it is not written to a column that accepts NULL"
    elif len(direct) < len(uses):
        # Its uses do not agree on the elements either.
        elements, reason = False, f"it is written to {direct[0].column}, but it is used elsewhere too"
    else:
        nullable, reason = True, f"it is written to {direct[0].column}, which accepts NULL"
    refused_by = refusing.column if optional and refusing is not None else None
    return ParamProof(Nullability(nullable=nullable, element_nullable=elements), reason, refused_by)
