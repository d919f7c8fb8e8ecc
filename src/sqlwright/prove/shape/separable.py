"""Where a statement mentions its optional parameters: in conditions that can leave it, or elsewhere.

A condition is what AND separates at the top of a WHERE: of the statement, of a WITH item, of an arm of a set operation, of a subquery in
FROM, of the query in `SELECT EXISTS (…)`. Under OR and NOT, and in a subquery of a condition, it is not clear what leaves with the
parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum

from sqlwright.prove.tree.enums import BoolExprType, CmdType, NullTestType, SubLinkType
from sqlwright.prove.tree.expressions import conjuncts, is_parameter, location
from sqlwright.prove.tree.nodetree import Node, Tree, walk
from sqlwright.prove.tree.querytree import Query, null_test


class Where(Enum):
    """Where an optional parameter cannot stand: in words, and how to write the query instead."""

    OR = "under OR", "write one condition without OR, such as `@{0} = ANY (ARRAY[a, b])`."
    NULL_TEST = "under OR, with a test whether it is NULL", "write only {1}: the condition leaves when the argument is left out."
    NOT = "under NOT", "write the opposite condition, with `<>`, NOT LIKE or `<> ALL (…)`."
    SUBQUERY = (
        "in a subquery of a condition",
        "keep the parameter outside of it: `@{0} IN (SELECT …)` for EXISTS; or put the subquery into FROM, whose WHERE may have it.",
    )
    ON = "in the ON of a join", "write the condition in WHERE; for an outer join, in a subquery: LEFT JOIN (SELECT … WHERE …)."
    HAVING = "in HAVING", "put the grouped query into a subquery in FROM, and the condition into the WHERE around it."
    COLUMNS = "in the list of columns", "use another parameter there, which is always passed."
    SET = "in SET", "use `-- @patch` for what is set, or another parameter, which is always passed."
    VALUES = "among the values that are inserted", "use another parameter there, which is always passed."
    LIMIT = "in LIMIT or OFFSET", "write `sqlc.narg({0})` there, which may be None for no limit, and remove it from the annotation."
    ELSEWHERE = "outside of a condition of WHERE", "use another parameter there, which is always passed."

    @property
    def words(self) -> str:
        """The place in words."""
        return self.value[0]

    def cure(self, name: str, condition: str = "") -> str:
        """How to write it instead, for a parameter; `condition` is the one that remains without a test for NULL, "" if it is not known."""
        rest = f"`{condition}`" if condition else "the other condition"
        return self.value[1].replace("{0}", name).replace("{1}", rest)


@dataclass(frozen=True, slots=True)
class Use:
    """A use of a parameter that cannot leave the statement: its number, its byte offset, and where it is."""

    number: int
    location: int | None
    where: Where


_OF_QUERY = {
    "havingQual": Where.HAVING,
    "limitCount": Where.LIMIT,
    "limitOffset": Where.LIMIT,
    "returningList": Where.COLUMNS,
    "onConflict": Where.SET,
    "mergeActionList": Where.SET,
}
_TARGETS = {CmdType.SELECT: Where.COLUMNS, CmdType.UPDATE: Where.SET, CmdType.INSERT: Where.VALUES}


def inseparable_uses(tree: Node, optional: AbstractSet[int], assigned: AbstractSet[int]) -> list[Use]:
    """Return the uses of optional parameters outside of conditions that can leave, and of the `assigned` ones outside of SET."""
    return [
        use
        for use in _of_query(tree, top=True)
        if use.number in optional or (use.number in assigned and not (use.where is Where.SET and _is_update(tree)))
    ] + [use for use in _in_conditions(tree) if use.number in assigned]


def _is_update(tree: Node) -> bool:
    return Query(tree).command is CmdType.UPDATE


def _in_conditions(tree: Node) -> Iterator[Use]:
    """Return the uses in the conditions of the statement itself."""
    for condition in conjuncts(Query(tree).where):
        yield from _everywhere(condition, Where.ELSEWHERE)


def _of_query(node: Node, *, top: bool = False) -> Iterator[Use]:
    """Return the uses in a query that cannot leave it."""
    query = Query(node)
    for name, value in node.fields.items():
        match name:
            case "jointree":
                jointree = query.node.node("jointree")
                yield from _everywhere(jointree.raw("fromlist"), Where.ON)
                if query.command is CmdType.MERGE:
                    yield from _everywhere(jointree.raw("quals"), Where.ON)
                else:
                    for condition in conjuncts(query.where):
                        yield from _of_condition(condition)
            case "rtable":
                for entry in node.nodes("rtable"):
                    yield from _of_entry(entry)
            case "cteList":
                for item in node.nodes("cteList"):
                    yield from _of_query(item.node("ctequery"))
            case "targetList":
                yield from _of_targets(query, top=top)
            case _:
                yield from _everywhere(value, _OF_QUERY.get(name, Where.ON if name == "mergeJoinCondition" else Where.ELSEWHERE))


def _of_targets(query: Query, *, top: bool) -> Iterator[Use]:
    inner = _asked(query) if top else None
    if inner is not None:
        yield from _of_query(inner)
    else:
        yield from _everywhere(query.node.raw("targetList"), _TARGETS.get(query.command, Where.ELSEWHERE) if top else Where.COLUMNS)


def _asked(query: Query) -> Node | None:
    """Return the query inside of `SELECT EXISTS (…)`, whose conditions are as separable as the statement's own."""
    targets = query.targets
    if query.command is not CmdType.SELECT or len(targets) != 1 or targets[0].expression.tag != "SUBLINK":
        return None
    link = targets[0].expression
    return link.node("subselect") if link.number("subLinkType") == SubLinkType.EXISTS else None


def _of_entry(entry: Node) -> Iterator[Use]:
    for name, value in entry.fields.items():
        if name == "subquery" and isinstance(value, Node):
            yield from _of_query(value)
        else:
            yield from _everywhere(value, Where.ELSEWHERE)


def _of_condition(tree: Tree) -> Iterator[Use]:
    """Return the uses inside a condition that are under OR, NOT or in a subquery."""
    if isinstance(tree, list):
        for item in tree:
            yield from _of_condition(item)
    elif isinstance(tree, Node):
        operator = BoolExprType(tree.text("boolop")) if tree.tag == "BOOLEXPR" else BoolExprType.AND
        if operator is not BoolExprType.AND and not _is_one_condition(tree, operator):
            tested = _tested(tree) if operator is BoolExprType.OR else frozenset[int]()
            for use in _everywhere(tree, Where.OR if operator is BoolExprType.OR else Where.NOT):
                yield replace(use, where=Where.NULL_TEST) if use.number in tested else use
            return
        for name, value in tree.fields.items():
            if tree.tag == "SUBLINK" and name == "subselect":
                yield from _everywhere(value, Where.SUBQUERY)
            else:
                yield from _of_condition(value)


def _tested(either: Node) -> frozenset[int]:
    """Return the parameters that an OR of two conditions tests for NULL by one of them, as in `$1 IS NULL OR name = $1`."""
    operands = either.nodes("args")
    tests = [node for node in operands if node.tag == "NULLTEST" and null_test(node) is NullTestType.IS_NULL]
    if len(operands) != 2 or len(tests) != 1:  # noqa: PLR2004 - a test and a condition
        return frozenset()
    return frozenset(node.number("paramid") for node in walk(tests[0]) if is_parameter(node))


def _is_one_condition(node: Node, operator: BoolExprType) -> bool:
    """Return whether PostgreSQL made this OR or NOT of one condition: NOT BETWEEN, `<>` of rows, IN over columns; IS NOT DISTINCT FROM.

    The operands of such an OR are all at the place of that word.
    """
    operands = node.nodes("args")
    if operator is BoolExprType.NOT:
        return operands[0].tag == "DISTINCTEXPR"
    return all(operand.tag == "OPEXPR" for operand in operands) and len({operand.text("location") for operand in operands}) == 1


def _everywhere(tree: Tree, where: Where) -> Iterator[Use]:
    for node in walk(tree):
        if is_parameter(node):
            yield Use(node.number("paramid"), location(node), where)
