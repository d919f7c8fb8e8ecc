"""Which parameters may be None: `sqlc.narg` asks for it, the query tests it for NULL, or it is written to a column that accepts NULL.

A test (`$1 IS NULL`) shows that its author expects NULL, whatever else the parameter is used for, unless it is also written to a column
that refuses NULL. Without a test every use must agree, since it is one value: a parameter that is also compared may not be None. The way
into a column may pass through casts, VALUES lists, subqueries, and `unnest`, where the elements of an array may be None. A parameter that a
cast makes one of a domain that refuses NULL is never None: PostgreSQL checks it when it reads the parameter, before any test.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.catalog.objects import Attribute, Relation
from sqlwright.prove.rules.verdicts import Nullability, ParamProof
from sqlwright.prove.tree.enums import BoolTestType, CmdType, CoercionForm, NullTestType, RelKind, RTEKind
from sqlwright.prove.tree.expressions import is_parameter
from sqlwright.prove.tree.nodetree import Node, Tree, walk
from sqlwright.prove.tree.querytree import Query, null_test

_COUNTS_OF_NULLS = frozenset({'num_nulls("any")', 'num_nonnulls("any")'})
_CASTS = (CoercionForm.EXPLICIT_CAST, CoercionForm.IMPLICIT_CAST)


@dataclass(frozen=True, slots=True)
class _Use:
    """A use that writes a parameter to a column; with `elements`, the elements of an array are written.

    `whole`: an array is written, and may hold NULL in the column.
    """

    column: str
    accepts_null: bool
    elements: bool
    whole: bool = False


def judge(facts: SchemaFacts, tree: Node, count: int, optional: frozenset[int]) -> tuple[ParamProof, ...]:
    """Return the proofs of the parameters $1 to $count of a statement."""
    uses: dict[int, list[_Use | None]] = defaultdict(list)
    written = dict(_Writes(facts, tree).find())
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
    if facts.is_strict_domain(oid):
        domain = f"the domain `{facts.type(oid).name}`"
        if optional:
            return replace(proof, refused_by=proof.refused_by or domain)
        elements = Nullability(nullable=False, element_nullable=proof.element_nullable)
        return ParamProof(elements, f"it is cast to {domain}, which refuses NULL")
    if refuses_holes(facts, oid):
        return replace(proof, nullability=replace(proof.nullability, element_nullable=False))
    return proof


def refuses_holes(facts: SchemaFacts, array: int) -> bool:
    """Return whether the elements are of a domain that refuses NULL, which is checked when a parameter is read."""
    element = facts.below_domains(array).element
    return element is not None and facts.is_strict_domain(element)


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


def _judge(*, optional: bool, test: str | None, uses: list[_Use | None]) -> ParamProof:
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


class _Writes:
    """Traces the values that a statement writes back to parameters."""

    def __init__(self, facts: SchemaFacts, tree: Node) -> None:
        self._facts = facts
        self._tree = tree

    def find(self) -> Iterator[tuple[int, _Use]]:
        """Return each PARAM node, by identity, that is a value on its way into a column."""
        for node in walk(self._tree):
            if node.tag == "QUERY":
                query = Query(node)
                if query.command in (CmdType.INSERT, CmdType.UPDATE, CmdType.MERGE):
                    yield from self._of_query(query)

    def _of_query(self, query: Query) -> Iterator[tuple[int, _Use]]:
        relation = self._facts.relation(query.target_relation)
        entries = list(_assignments(query))
        direct = {id(uncast(self._facts, entry.node("expr"))) for entry in entries}
        for entry in entries:
            attribute = self._attribute(relation, entry.number("resno"))
            if attribute is not None:
                label, column, holes = attribute
                use = _Use(label, column.accepts_null, elements=False, whole=holes)
                yield from self._trace(query, entry.node("expr"), use, direct)

    def _attribute(self, relation: Relation, number: int) -> tuple[str, Attribute, bool] | None:
        """Return the stored column that a column of the target is, and whether an array may hold NULL there.

        None for a column that a view computes or a trigger handles.
        """
        if relation.kind is not RelKind.VIEW:
            column = relation.attributes.get(number)
            if column is None:
                return None
            holes = self._facts.elements_nullable(relation, number) and not refuses_holes(self._facts, column.type)
            return f"`{relation.name}.{column.name}`", column, holes
        view = Query(self._facts.view_query(relation.oid))
        if relation.instead_triggers or relation.rules or not 0 < number <= len(view.outputs):
            return None
        expression = view.outputs[number - 1].expression
        if expression.tag != "VAR" or expression.number("varlevelsup"):
            return None
        under = self._facts.relation(view.entry(expression.number("varno")).relation)
        return self._attribute(under, expression.number("varattno"))

    def _trace(self, query: Query, expression: Node, use: _Use, direct: set[int]) -> Iterator[tuple[int, _Use]]:
        node = uncast(self._facts, expression)
        if is_parameter(node):
            yield id(node), use
        elif node.tag == "FUNCEXPR" and self._facts.function(node.number("funcid")).signature == "unnest(anyarray)":
            yield from self._elements(node, use)
        elif node.tag == "VAR" and not node.number("varlevelsup"):
            item, attribute = node.number("varno"), node.number("varattno")
            entry = query.entry(item)
            if entry.kind not in (RTEKind.VALUES, RTEKind.SUBQUERY, RTEKind.FUNCTION) or not _only_written(query, item, attribute, direct):
                return
            if entry.kind is RTEKind.VALUES:
                for row in query.values_rows(entry):
                    yield from self._trace(query, row[attribute - 1], use, direct)
            elif entry.kind is RTEKind.SUBQUERY:
                yield from self._through(Query(entry.node.node("subquery")), attribute, use)
            else:
                functions = entry.node.nodes("functions")
                if all(f.number("funccolcount") == 1 for f in functions) and 1 <= attribute <= len(functions):
                    yield from self._trace(query, functions[attribute - 1].node("funcexpr"), use, direct)

    def _through(self, query: Query, attribute: int, use: _Use) -> Iterator[tuple[int, _Use]]:
        if query.set_operations is not None or query.groups or query.node.has("distinctClause"):
            return
        for target in query.outputs:
            if target.number == attribute:
                direct = {id(uncast(self._facts, t.expression)) for t in query.outputs}
                yield from self._trace(query, target.expression, use, direct)

    def _elements(self, call: Node, use: _Use) -> Iterator[tuple[int, _Use]]:
        argument = uncast(self._facts, call.nodes("args")[0])
        if is_parameter(argument):
            yield id(argument), _Use(use.column, use.accepts_null, elements=True)


def uncast(facts: SchemaFacts, node: Node) -> Node:
    """Return an expression without the casts that return NULL for NULL."""
    while True:
        if node.tag in ("RELABELTYPE", "COLLATEEXPR", "COERCEVIAIO", "ARRAYCOERCEEXPR") or (
            node.tag == "COERCETODOMAIN" and not facts.is_strict_domain(node.number("resulttype"))
        ):
            node = node.node("arg")
        elif node.tag == "FUNCEXPR" and node.enum("funcformat", CoercionForm) in _CASTS and _is_plain_cast(facts, node):
            node = node.nodes("args")[0]
        else:
            return node


def _is_plain_cast(facts: SchemaFacts, node: Node) -> bool:
    function = facts.function(node.number("funcid"))
    return function.strict and all(argument.tag == "CONST" for argument in node.nodes("args")[1:])


def _assignments(query: Query) -> Iterator[Node]:
    """Return the target entries that assign columns of the written table."""
    for target in query.targets:
        if not target.junk:
            yield target.node
    for action in query.merge_actions:
        yield from action.nodes("targetList")
    if query.on_conflict is not None:
        yield from query.on_conflict.nodes("onConflictSet")


def _only_written(query: Query, item: int, attribute: int, direct: set[int]) -> bool:
    """Return whether a column of FROM is used for nothing but assignments. The column list of a join does not count."""
    for node in _uses(query.node):
        if node.tag != "VAR" or node.number("varlevelsup"):
            continue
        entry = query.entry(node.number("varno"))
        if entry.kind is RTEKind.JOIN:
            return False
        if node.number("varno") == item and node.number("varattno") in (0, attribute) and id(node) not in direct:
            return False
    return not any(n.tag == "QUERY" and n is not query.node and _refers_out(n) for n in _uses(query.node))


def _uses(tree: Tree) -> Iterator[Node]:
    """Yield the nodes of a query, except the column lists of its joins and the insides of subqueries, which have their own columns."""
    stack: list[Tree] = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, list):
            stack.extend(part)
        elif isinstance(part, Node):
            yield part
            if part.tag == "QUERY" and part is not tree:
                continue
            stack.extend(value for name, value in part.fields.items() if name not in ("joinaliasvars", "exclRelTlist"))


def _refers_out(subquery: Node) -> bool:
    return any(node.tag == "VAR" and node.number("varlevelsup") for node in walk(subquery))
