"""Comparable values of query trees: what is left of a statement without some of its parts, and its order apart from the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlwright.prove.tree.enums import BoolExprType, CmdType
from sqlwright.prove.tree.expressions import conjuncts, is_parameter, location, returns_rows
from sqlwright.prove.tree.nodetree import Node, Tree, unescape, walk
from sqlwright.prove.tree.querytree import Query

# Places in the text, and what PostgreSQL derives from the mentions of columns and subqueries, of which those in what has left are gone.
_UNCOMPARED = frozenset(
    {"location", "stmt_location", "stmt_len", "queryId", "list_start", "list_end"}
    | {"selectedCols", "updatedCols", "requiredPerms", "hasSubLinks", "cterefcount"}
)
_ABOUT_ORDER = frozenset({"sortClause", "groupClause", "distinctClause", "targetList", "hasSubLinks", "hasAggs", "queryId"})


@dataclass(frozen=True, slots=True)
class Shape:
    """A comparable value of a tree, with the numbers that its parameters have in the whole statement.

    Left out are the conditions and assignments that begin in `spans` (offsets in bytes), and the assignments of `columns`. A condition
    with a switch, a parameter from `switches` on, counts as the condition alone.
    """

    numbers: Mapping[int, int] = field(default_factory=dict[int, int])
    spans: tuple[tuple[int, int], ...] = ()
    columns: frozenset[int] = frozenset()
    switches: int | None = None

    def of(self, tree: Tree) -> object:
        """Return the value of a tree."""
        if isinstance(tree, list):
            return tuple([self.of(item) for item in tree])
        if not isinstance(tree, Node):
            return None if tree is None else unescape(tree)
        fields = tree.fields
        if tree.tag == "FROMEXPR":
            kept = (self.of(condition) for condition in self._conditions(tree.optional("quals")))
            return "FROMEXPR", self.of(fields["fromlist"]), tuple(kept)
        if is_parameter(tree):
            number = tree.number("paramid")
            fields = {**fields, "paramid": str(self.numbers.get(number, number))}
        elif tree.tag == "QUERY" and Query(tree).command is CmdType.UPDATE:
            kept_targets: list[Tree] = [target for target in tree.nodes("targetList") if not self._leaves(target)]
            fields = {**fields, "targetList": kept_targets}
        # Most fields are words.
        return tree.tag, *[
            (name, value if isinstance(value, str) and "\\" not in value else self.of(value))
            for name, value in fields.items()
            if name not in _UNCOMPARED
        ]

    def _conditions(self, quals: Node | None) -> Iterator[Node]:
        for condition in conjuncts(quals):
            if self._has_switch(condition):
                yield from self._conditions(condition.nodes("args")[0])
            elif not self._is_inside(condition):
                yield condition

    def _has_switch(self, node: Node) -> bool:
        if self.switches is None or node.tag != "BOOLEXPR" or node.text("boolop") != BoolExprType.OR:
            return False
        last = node.nodes("args")[-1]
        return is_parameter(last) and last.number("paramid") >= self.switches

    def _is_inside(self, node: Node) -> bool:
        place = location(node)
        return place is not None and any(start <= place < end for start, end in self.spans)

    def _leaves(self, target: Node) -> bool:
        return target.number("resno") in self.columns or self._is_inside(target.node("expr"))


def without_order(tree: Node, shape: Shape) -> tuple[object, list[tuple[str, ...]]]:
    """Return a statement without its ORDER BY, and that, as values that can be compared."""
    query = Query(tree)
    targets = {str(target.sort_group): repr(shape.of(target.expression)) for target in query.targets if target.sort_group}

    def by(name: str, *more: str) -> list[tuple[str, ...]]:
        return [(targets[item.text("tleSortGroupRef")], *(item.text(field) for field in ("eqop", *more))) for item in tree.nodes(name)]

    rest = {name: value for name, value in tree.fields.items() if name not in _ABOUT_ORDER}
    if not tree.has("groupClause"):
        rest["hasAggs"] = tree.raw("hasAggs")
    visible = [(target.number, target.name, shape.of(target.expression)) for target in query.targets if not target.junk]
    # What returns a set adds rows, though it is only sorted by.
    sets = sorted(
        repr(shape.of(target.expression)) for target in query.targets if target.junk and any(map(returns_rows, walk(target.node)))
    )
    # GROUP BY and DISTINCT adopt the direction of ORDER BY, and DISTINCT its order too.
    return (shape.of(Node("QUERY", rest)), visible, sets, by("groupClause"), sorted(by("distinctClause"))), by(
        "sortClause", "sortop", "nulls_first"
    )
