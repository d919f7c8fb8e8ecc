"""Whether what a page sorts by tells values apart that a GROUP BY, DISTINCT, UNION or PARTITION BY under it takes for equal.

PostgreSQL evaluates the condition of a page before it groups, where the condition is about what is grouped. That is the same if all values
of a group pass or none does: if they are the same bytes, or if the sort finds them equal too. For `ORDER BY scale(n)` over `GROUP BY n`,
1.0 and 1.00 are one group, of which the condition would take a part; and which of them stands for the group depends on the plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.catalog.objects import FIRST_USER_OID
from sqlwright.prove.rules.exprtypes import type_of
from sqlwright.prove.rules.volatility import called, reached
from sqlwright.prove.tree.enums import BuiltinType, CmdType, RelKind, RTEKind, SetOperation, TypType
from sqlwright.prove.tree.expressions import stripped
from sqlwright.prove.tree.nodetree import Node, Tree, walk
from sqlwright.prove.tree.querytree import Query, RangeEntry


@dataclass(frozen=True, slots=True)
class Sense:
    """How a sort compares a value: by the equality of its family, under a collation."""

    equal: int
    collation: int


def same_for_equals(facts: SchemaFacts, query: Query, expression: Node, sense: Sense) -> bool:
    """Return whether what a query sorts by is the same, for the sort, for all values that are grouped as equal under it.

    Raises:
        Unrecognised: a tree cannot be read.
    """
    return _has_same_images(facts, query.node) or _passes(facts, query, expression, sense)


def chooses(facts: SchemaFacts, node: Node) -> bool:
    """Return whether a node is an aggregate that returns any of several values that are equal, and not the same bytes."""
    function = called(node) if node.tag in ("AGGREF", "WINDOWFUNC") else None
    if function is None or facts.function(function).name not in ("min", "max"):
        return False
    found = facts.below_domains(type_of(facts, node))
    type_ = BuiltinType.ANYENUM if found.kind is TypType.ENUM else found.oid
    return not facts.equalities.has_same_images(facts.equalities.of_type(type_)) or _is_loose(facts, node)


def has_user_function(entry: RangeEntry) -> bool:
    """Return whether an item of FROM calls a user's function: PostgreSQL may put the query of one in SQL into its place."""
    return any((function := called(node)) is not None and function >= FIRST_USER_OID for node in walk(entry.node.items("functions")))


def _has_same_images(facts: SchemaFacts, tree: Tree) -> bool:
    """Return whether all that is grouped in a tree, and in views behind it, is so by equalities of the same bytes."""
    for node in reached(facts, tree):
        match node.tag:
            case "QUERY":
                if not all(_is_same_image(facts, Query(node), clause) for clause in _clauses(node)):
                    return False
            case "SETOPERATIONSTMT":
                count = len(node.nodes("groupClauses"))
                if not all(_combines(facts, node, index, None) for index in range(count)):
                    return False
            case "RANGETBLENTRY" | "RTE":
                entry = RangeEntry(node)
                if entry.kind is RTEKind.FUNCTION and has_user_function(entry):
                    return False
            case _:
                if chooses(facts, node):
                    return False
    return True


def _clauses(node: Node) -> Iterator[Node]:
    """Yield the items of what groups the rows of a query: GROUP BY, DISTINCT, PARTITION BY."""
    yield from node.nodes("groupClause")
    yield from node.nodes("distinctClause")
    for window in node.nodes("windowClause"):
        yield from window.nodes("partitionClause")


def _is_same_image(facts: SchemaFacts, query: Query, clause: Node) -> bool:
    return facts.equalities.has_same_images(clause.number("eqop")) and not _is_loose(facts, _expression(query, clause))


def _expression(query: Query, clause: Node) -> Node:
    number = clause.number("tleSortGroupRef")
    return next(target.expression for target in query.targets if target.sort_group == number)


def _is_loose(facts: SchemaFacts, expression: Node) -> bool:
    """Return whether a nondeterministic collation is anywhere in an expression."""
    loose = {str(collation) for collation in facts.equalities.loose_collations}
    return any(
        value in loose for node in walk(expression) for name, value in node.fields.items() if "coll" in name and isinstance(value, str)
    )


def _groups_alike(facts: SchemaFacts, query: Query, clause: Node, sense: Sense | None) -> bool:
    """Return whether an item of GROUP BY and the like finds only values equal that are the same bytes, or equal in the sense of a sort."""
    if _is_same_image(facts, query, clause):
        return True
    if sense is None or clause.number("eqop") != sense.equal:
        return False
    expression = _expression(query, clause)
    if sense.collation in facts.equalities.loose_collations or _is_loose(facts, expression):
        return expression.tag == "VAR" and expression.number("varcollid") == sense.collation
    return True


def _combines(facts: SchemaFacts, operation: Node, index: int, sense: Sense | None) -> bool:
    """Return the same of a column of a UNION, INTERSECT or EXCEPT."""
    if operation.enum("op", SetOperation) is SetOperation.UNION and operation.flag("all"):
        return True
    equal, collation = operation.nodes("groupClauses")[index].number("eqop"), operation.numbers("colCollations")[index]
    loose = facts.equalities.loose_collations
    if facts.equalities.has_same_images(equal) and collation not in loose:
        return True
    if sense is None or equal != sense.equal:
        return False
    return collation == sense.collation or not {collation, sense.collation} & loose


def _passes(facts: SchemaFacts, query: Query, expression: Node, sense: Sense | None) -> bool:
    """Return whether no grouping below a query makes an expression of it different; `sense` is that of its value in the sort, if known."""
    for node in walk(expression):
        if node.tag == "SUBLINK":
            return False
        if node.tag == "VAR" and not _column_passes(facts, query, node, sense if node is stripped(expression) else None):
            return False
    return True


def _column_passes(facts: SchemaFacts, query: Query, var: Node, sense: Sense | None) -> bool:
    if var.number("varlevelsup"):
        return False
    number, entry = var.number("varattno"), query.entry(var.number("varno"))
    match entry.kind:
        case RTEKind.RELATION if facts.relation(entry.relation).kind is RelKind.VIEW:
            return _output_passes(facts, facts.view_query(entry.relation), number, sense)
        case RTEKind.RELATION | RTEKind.VALUES:
            return True
        case RTEKind.SUBQUERY:
            return _output_passes(facts, entry.node.node("subquery"), number, sense)
        case RTEKind.CTE:
            named = (item for item in query.common_tables if item.text("ctename") == entry.node.text("ctename"))
            item = None if entry.node.number("ctelevelsup") else next(named, None)
            return item is not None and not item.flag("cterecursive") and _output_passes(facts, item.node("ctequery"), number, sense)
        case RTEKind.JOIN if number:
            return _passes(facts, query, entry.node.nodes("joinaliasvars")[number - 1], sense)
        case RTEKind.GROUP if number:
            return _passes(facts, query, entry.node.nodes("groupexprs")[number - 1], sense)
        case RTEKind.FUNCTION:
            return not has_user_function(entry)
        case _:
            return False


def _output_passes(facts: SchemaFacts, node: Node, number: int, sense: Sense | None) -> bool:
    """Return the same of a column of a subquery."""
    query = Query(node)
    target = next((target for target in query.outputs if target.number == number), None)
    if target is None or query.command is not CmdType.SELECT:
        return False
    if query.set_operations is not None:
        return _combined_passes(facts, query, query.set_operations, number, sense)
    expression = target.expression
    own = [clause for clause in _clauses(node) if clause.number("tleSortGroupRef") == target.sort_group]
    if not all(_groups_alike(facts, query, clause, sense) for clause in own):
        return False
    groups = node.nodes("groupClause")
    is_grouped = any(clause.number("tleSortGroupRef") == target.sort_group for clause in groups)
    if groups and not is_grouped and _mentions_group(expression) and not all(_is_same_image(facts, query, clause) for clause in groups):
        return False
    if any(chooses(facts, found) and (sense is None or found is not stripped(expression)) for found in walk(expression)):
        return False
    if any(found.tag == "WINDOWFUNC" for found in walk(expression)):
        below = [entry.node for entry in query.range_table]
        return all(_has_same_images(facts, found) for found in (*below, *query.common_tables))
    return _passes(facts, query, expression, sense)


def _combined_passes(facts: SchemaFacts, query: Query, operation: Node, number: int, sense: Sense | None) -> bool:
    nodes = list(walk(operation))
    if not all(_combines(facts, node, number - 1, sense) for node in nodes if node.tag == "SETOPERATIONSTMT"):
        return False
    parts = (query.entry(node.number("rtindex")).node.node("subquery") for node in nodes if node.tag == "RANGETBLREF")
    return all(_output_passes(facts, part, number, sense) for part in parts)


def _mentions_group(tree: Tree) -> bool:
    """Return whether a column is in an expression outside of aggregates: the value of any row of the group."""
    if isinstance(tree, list):
        return any(map(_mentions_group, tree))
    if not isinstance(tree, Node) or tree.tag == "AGGREF":
        return False
    return tree.tag == "VAR" or any(map(_mentions_group, tree.fields.values()))
