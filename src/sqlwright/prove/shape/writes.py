"""Which parameters a statement writes to columns: each value's way through casts, VALUES lists, subqueries, WITH items and `unnest`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.catalog.objects import Relation
from sqlwright.prove.tree.enums import CmdType, CoercionForm, RelKind, RTEKind
from sqlwright.prove.tree.expressions import is_parameter
from sqlwright.prove.tree.nodetree import Node, Tree, walk
from sqlwright.prove.tree.querytree import Query, RangeEntry

_CASTS = (CoercionForm.EXPLICIT_CAST, CoercionForm.IMPLICIT_CAST)


@dataclass(frozen=True, slots=True)
class Use:
    """A use that writes a parameter to a column; with `elements`, the elements of an array are written.

    `whole`: an array is written, and may hold NULL in the column.
    """

    column: str
    accepts_null: bool
    elements: bool
    whole: bool = False


def writes(facts: SchemaFacts, tree: Node) -> dict[int, Use]:
    """Return each PARAM node, by identity, that is a value on its way into a column. One that refuses NULL comes before others."""
    found: dict[int, Use] = {}
    for node, use in _Writes(facts, tree).find():
        if node not in found or not use.accepts_null:
            found[node] = use
    return found


class _Writes:
    """Traces the values that a statement writes back to parameters. A level of queries is a query and those around it."""

    def __init__(self, facts: SchemaFacts, tree: Node) -> None:
        self._facts = facts
        self._tree = tree

    def find(self) -> Iterator[tuple[int, Use]]:
        """Yield each PARAM node, by identity, with what it is written to."""
        for node in walk(self._tree):
            if node.tag == "QUERY":
                query = Query(node)
                if query.command in (CmdType.INSERT, CmdType.UPDATE, CmdType.MERGE):
                    yield from self._of_query(query)

    def _of_query(self, query: Query) -> Iterator[tuple[int, Use]]:
        relation = self._facts.relation(query.target_relation)
        entries = list(_assignments(query))
        direct = {id(self._value(entry.node("expr"))) for entry in entries}
        levels = (query,) if query.node is self._tree else (query, Query(self._tree))
        for entry in entries:
            use = self._column(relation, entry.number("resno"))
            if use is not None:
                yield from self._trace(levels, entry.node("expr"), use, direct)

    def _column(self, relation: Relation, number: int) -> Use | None:
        """Return what is written to a column of the target. None for a column that a view computes or a trigger handles."""
        if relation.kind is not RelKind.VIEW:
            column = relation.attributes.get(number)
            if column is None:
                return None
            refusals = self._facts.refusals
            accepts = column.accepts_null and not refusals.by_column(relation.oid, number)
            holes = self._facts.elements_nullable(relation, number) and not self._facts.refuses_elements(column.type)
            return Use(f"`{relation.name}.{column.name}`", accepts, elements=False, whole=holes)
        view = Query(self._facts.view_query(relation.oid))
        if relation.instead_triggers or relation.rules or not 0 < number <= len(view.outputs):
            return None
        expression = view.outputs[number - 1].expression
        if expression.tag != "VAR" or expression.number("varlevelsup"):
            return None
        under = self._facts.relation(view.entry(expression.number("varno")).relation)
        return self._column(under, expression.number("varattno"))

    def _value(self, node: Node) -> Node:
        """Return an expression without its casts, also those to domains that refuse NULL."""
        inner = uncast(self._facts, node)
        return self._value(inner.node("arg")) if inner.tag == "COERCETODOMAIN" else inner

    def _cast(self, expression: Node, use: Use) -> Use:
        """Return the use of what is behind the casts of an expression: what a domain among them refuses is refused."""
        refusals, node = self._facts.refusals, expression
        while True:
            is_domain = node.tag == "COERCETODOMAIN"
            if is_domain and refusals.by_domain(node.number("resulttype")):
                use = replace(use, accepts_null=False)
            if use.whole and (is_domain or node.tag == "ARRAYCOERCEEXPR"):
                use = replace(use, whole=not self._facts.refuses_elements(node.number("resulttype")))
            inner = node.node("arg") if is_domain else uncast(self._facts, node, steps=1)
            if inner is node:
                return use
            node = inner

    def _trace(self, levels: tuple[Query, ...], expression: Node, use: Use, direct: set[int]) -> Iterator[tuple[int, Use]]:
        query, node, use = levels[0], self._value(expression), self._cast(expression, use)
        if is_parameter(node):
            yield id(node), use
        elif node.tag == "FUNCEXPR" and self._facts.function(node.number("funcid")).signature == "unnest(anyarray)":
            yield from self._elements(node, use)
        elif node.tag == "VAR" and not node.number("varlevelsup"):
            entry = query.entry(node.number("varno"))
            # What refuses NULL refuses it whatever else the column is used for.
            if not use.accepts_null or _only_written(query, node.number("varno"), node.number("varattno"), direct):
                yield from self._from_item(levels, entry, node.number("varattno"), use)

    def _from_item(self, levels: tuple[Query, ...], entry: RangeEntry, attribute: int, use: Use) -> Iterator[tuple[int, Use]]:
        """Trace a column of an item of FROM."""
        match entry.kind:
            case RTEKind.VALUES:
                for row in levels[0].values_rows(entry):
                    yield from self._trace(levels, row[attribute - 1], use, set())
            case RTEKind.SUBQUERY:
                yield from self._through((Query(entry.node.node("subquery")), *levels), attribute, use)
            case RTEKind.CTE:
                yield from self._through_item(levels, entry, attribute, use)
            case RTEKind.FUNCTION:
                functions = entry.node.nodes("functions")
                if all(f.number("funccolcount") == 1 for f in functions) and 1 <= attribute <= len(functions):
                    yield from self._trace(levels, functions[attribute - 1].node("funcexpr"), use, set())
            case _:
                pass

    def _through_item(self, levels: tuple[Query, ...], entry: RangeEntry, attribute: int, use: Use) -> Iterator[tuple[int, Use]]:
        """Trace a column of a WITH item. Other places may read the item too, so this shows only what is refused."""
        around = levels[entry.node.number("ctelevelsup") :]
        for item in around[0].common_tables if around and not use.accepts_null else ():
            query = item.node("ctequery")
            if item.text("ctename") == entry.node.text("ctename") and query.tag == "QUERY":
                yield from self._through((Query(query), *around), attribute, use)

    def _through(self, levels: tuple[Query, ...], attribute: int, use: Use) -> Iterator[tuple[int, Use]]:
        query = levels[0]
        if query.set_operations is not None:
            for node in query.node.nodes("rtable"):
                if node.has("subquery") and not use.accepts_null:
                    yield from self._through((Query(node.node("subquery")), *levels), attribute, use)
            return
        if query.command is not CmdType.SELECT or (use.accepts_null and (query.groups or query.node.has("distinctClause"))):
            return
        for target in query.outputs:
            if target.number == attribute:
                direct = {id(self._value(t.expression)) for t in query.outputs}
                yield from self._trace(levels, target.expression, use, direct)

    def _elements(self, call: Node, use: Use) -> Iterator[tuple[int, Use]]:
        argument = uncast(self._facts, call.nodes("args")[0])
        if is_parameter(argument):
            yield id(argument), Use(use.column, use.accepts_null, elements=True)


def uncast(facts: SchemaFacts, node: Node, steps: int = 100) -> Node:
    """Return an expression without the casts that return NULL for NULL, or without as many of them."""
    for _ in range(steps):
        if node.tag in ("RELABELTYPE", "COLLATEEXPR", "COERCEVIAIO", "ARRAYCOERCEEXPR") or (
            node.tag == "COERCETODOMAIN" and not facts.is_strict_domain(node.number("resulttype"))
        ):
            node = node.node("arg")
        elif node.tag == "FUNCEXPR" and node.enum("funcformat", CoercionForm) in _CASTS and _is_plain_cast(facts, node):
            node = node.nodes("args")[0]
        else:
            break
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
