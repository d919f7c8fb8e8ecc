"""Whether what a statement sorts by is the same each time that it is executed, as long as the rows that it reads are the same.

A cursor holds the values of one execution, which the next one compares with: `now() - placed_at` is another value then, and so may be what
depends on the session's time zone or on another setting. "Immutable" is not enough: the sum of floats depends on the order in which
PostgreSQL adds them, a `row_number()` on the order of rows that tie, and the text of a float or of a bytea on a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.catalog.objects import FIRST_USER_OID
from sqlwright.prove.rules.exprtypes import type_of
from sqlwright.prove.rules.volatility import called, may_change, reached
from sqlwright.prove.tree.enums import BuiltinType, CmdType, RelKind, RTEKind, TypType, Volatility
from sqlwright.prove.tree.nodetree import Node, Tree, walk
from sqlwright.prove.tree.querytree import Query, RangeEntry

_NEVER = frozenset({"JSONCONSTRUCTOREXPR", "JSONEXPR", "NEXTVALUEEXPR", "SQLVALUEFUNCTION", "TABLESAMPLECLAUSE", "XMLEXPR", "XMLSERIALIZE"})
_COMPUTES = ("hasAggs", "hasWindowFuncs", "hasTargetSRFs", "hasModifyingCTE")
_GROUPS = ("groupClause", "groupingSets", "havingQual", "distinctClause", "setOperations")
# The aggregates of PostgreSQL whose value does not depend on the order of the rows.
_UNORDERED = frozenset({"count", "min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor"})
_SUMS = frozenset(f"{name}({type_})" for name in ("sum", "avg") for type_ in ("smallint", "integer", "bigint", "numeric"))
# The window functions that return the same for rows that tie.
_RANKS = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})
_PLACES = frozenset({"row_number", "ntile", "lag", "lead", "first_value", "last_value", "nth_value"})
_FRAME_OF_ROWS = 0x4
# The types whose text depends on no setting.
_PLAIN_TEXT = frozenset(
    {
        *("bool", "int2", "int4", "int8", "numeric", "oid", "text", "varchar", "bpchar", "name", "char", "citext", "uuid", "jsonb", "json"),
        *("time", "inet", "cidr", "macaddr", "macaddr8", "pg_lsn", "bit", "varbit"),
    }
)
# It quotes what is quoted nowhere else if `quote_all_identifiers` is set, although it is marked immutable.
_DEPENDS_ON_SETTINGS = frozenset({"quote_ident"})


@dataclass(frozen=True, slots=True)
class Lasting:
    """Finds what is lasting. `is_total` says of a query inside of the statement whether its ORDER BY is total."""

    facts: SchemaFacts
    is_total: Callable[[Node], bool]

    def holds(self, query: Query, expression: Tree) -> bool:
        """Return whether an expression of a query is lasting.

        Raises:
            Unrecognised: a tree cannot be read.
        """
        nodes = list(walk(expression))
        if any(node.tag == "SUBLINK" or not self._itself(node) for node in nodes):
            return False
        return all(self._column(query, node) for node in nodes if node.tag == "VAR")

    def why_rows_change(self, tree: Node) -> tuple[str, str] | None:
        """Return why a SELECT may have other rows the next time, and what to do; None if it has the same.

        What it only returns may be volatile.
        """
        deciding = _with_targets(tree, [target.node for target in Query(tree).targets if target.sort_group])
        if may_change(self.facts, deciding):
            why = "its rows depend on a volatile function, or on a sample, which may return something else for the next page"
            return why, "remove it; a sample is the same again with REPEATABLE."
        for node in reached(self.facts, deciding):
            if node.tag != "QUERY" or node is deciding:
                continue
            # What depends on a row around it is left to its author, such as the newest row of each in a LATERAL subquery.
            if (node.has("limitCount") or node.has("limitOffset")) and not _mentions_outside(node) and not self._chooses_the_same(node):
                why = (
                    "LIMIT or OFFSET in a subquery may choose other rows for the next page, "
                    "since it is not proven that no two rows have the same place in its order"
                )
                return why, "add a unique column that is never NULL to the end of the subquery's ORDER BY."
        return None

    def _is_ordered(self, node: Node) -> bool:
        """Return whether the ORDER BY of a query that depends on nothing around it is total."""
        return node.has("sortClause") and not _reaches_out(node) and self.is_total(node)

    def _chooses_the_same(self, node: Node) -> bool:
        """Return whether LIMIT, OFFSET and DISTINCT ON choose the same rows each time."""
        if (node.has("limitCount") or node.has("limitOffset")) and not (_is_single(node) or self._is_ordered(node)):
            return False
        plain = Node(node.tag, {**node.fields, "hasDistinctOn": "false", "distinctClause": None})
        return not node.flag("hasDistinctOn") or self._is_ordered(plain)

    def _itself(self, node: Node) -> bool:
        """Return whether a node is lasting, apart from what it holds."""
        function = called(node)
        if function is not None:
            found = self.facts.function(function)
            if found.volatility is not Volatility.IMMUTABLE or found.hides_volatile:
                return False
            if node.tag == "AGGREF":
                return self._is_unordered(node)
            # A type's function for output, whose text may depend on a setting.
            return not found.builtin or not (found.returns == BuiltinType.CSTRING or found.name in _DEPENDS_ON_SETTINGS)
        if node.tag == "COERCEVIAIO":
            shown = self.facts.below_domains(type_of(self.facts, node.node("arg")))
            if not self.facts.type(node.number("resulttype")).immutable_io:
                return False
            return shown.kind is TypType.ENUM or (shown.name in _PLAIN_TEXT and (shown.oid < FIRST_USER_OID or shown.name == "citext"))
        if node.tag == "ROWCOMPAREEXPR":
            return all(operator < FIRST_USER_OID for operator in node.numbers("opnos"))
        if node.tag == "QUERY":
            return self._windows(node) and self._chooses_the_same(node)
        return node.tag not in _NEVER

    def _is_unordered(self, call: Node) -> bool:
        """Return whether the value of an aggregate, or of one over a window, does not depend on the order of rows."""
        found = self.facts.function(called(call) or 0)
        if not found.builtin or not (found.name in _UNORDERED or found.signature in _SUMS):
            return False
        # Of several values that are equal, such as 1.0 and 1.00, any is taken.
        return (
            not ("aggdistinct" in call.fields and call.has("aggdistinct")) or found.name in _UNORDERED or found.returns == BuiltinType.INT8
        )

    def _windows(self, node: Node) -> bool:
        """Return whether the values of a query's window functions do not depend on the order of rows that tie."""
        if not node.flag("hasWindowFuncs"):
            return True
        windows = {window.number("winref"): window for window in node.nodes("windowClause")}
        calls = [found for target in node.nodes("targetList") for found in walk(target) if found.tag == "WINDOWFUNC"]
        for call in calls:
            found, window = self.facts.function(called(call) or 0), windows[call.number("winref")]
            if found.builtin and found.name in _RANKS:
                continue
            is_place = found.builtin and found.name in _PLACES
            if not is_place and not self._is_unordered(call):
                return False
            if (is_place or window.number("frameOptions") & _FRAME_OF_ROWS) and not self._is_ordered(_sorted_as(node, window)):
                return False
        return True

    def _column(self, query: Query, var: Node) -> bool:
        if var.number("varlevelsup"):
            return False
        number = var.number("varattno")
        entry = query.entry(var.number("varno"))
        match entry.kind:
            case RTEKind.RELATION if self.facts.relation(entry.relation).kind is RelKind.VIEW:
                return self._output(self.facts.view_query(entry.relation), number)
            case RTEKind.RELATION:
                return True
            case RTEKind.SUBQUERY:
                # What a LATERAL one computes may come from another item of FROM.
                is_lateral = entry.node.flag("lateral")
                return self._all(query.node) if is_lateral else self._output(entry.node.node("subquery"), number)
            case RTEKind.CTE:
                named = (item for item in query.common_tables if item.text("ctename") == entry.node.text("ctename"))
                item = None if entry.node.number("ctelevelsup") else next(named, None)
                return item is not None and self._output(item.node("ctequery"), number)
            case RTEKind.JOIN:
                return self.holds(query, _joined_column(entry, number))
            case RTEKind.VALUES | RTEKind.FUNCTION:
                return self._all(query.node if entry.node.flag("lateral") else entry.node)
            case _:
                return False

    def _output(self, node: Node, number: int) -> bool:
        """Return whether a column of a subquery is lasting. If it groups or combines rows, all that decides about them has to be."""
        query = Query(node)
        plain = query.command is CmdType.SELECT and not any(node.flag(name) for name in _COMPUTES) and not any(map(node.has, _GROUPS))
        if plain:
            target = next(target for target in query.outputs if target.number == number)
            if self.holds(query, target.expression):
                return True
        return self._all(_computing(node, number))

    def _all(self, node: Node) -> bool:
        return all(self._itself(found) for found in reached(self.facts, node))


def _joined_column(entry: RangeEntry, number: int) -> Node:
    return entry.node.nodes("joinaliasvars")[number - 1]


def _computing(node: Node, number: int) -> Node:
    """Return a query without the columns that decide neither about its rows nor about one column."""
    query = Query(node)
    if query.command is not CmdType.SELECT or query.set_operations is not None or node.flag("hasTargetSRFs"):
        return node
    found = _with_targets(node, [target.node for target in query.targets if target.sort_group or target.number == number])
    group = next((target.sort_group for target in query.targets if target.number == number), 0)
    if group and any(clause.number("tleSortGroupRef") == group for clause in node.nodes("distinctClause")):
        # Whichever row DISTINCT ON takes, it has this value.
        return Node(node.tag, {**found.fields, "hasDistinctOn": "false"})
    return found


def _with_targets(node: Node, targets: list[Node]) -> Node:
    return Node(node.tag, {**node.fields, "targetList": list[Tree](targets)})


def _sorted_as(node: Node, window: Node) -> Node:
    """Return a query that sorts its rows as one of its windows does, a partition after the other."""
    clauses: list[Tree] = []
    for clause in (*window.nodes("partitionClause"), *window.nodes("orderClause")):
        if all(clause.number("tleSortGroupRef") != each.number("tleSortGroupRef") for each in clauses if isinstance(each, Node)):
            clauses.append(clause)
    wanted = {clause.number("tleSortGroupRef") for clause in clauses if isinstance(clause, Node)}
    targets = [target.node for target in Query(node).targets if target.sort_group in wanted]
    fields = {"hasWindowFuncs": "false", "windowClause": None, "distinctClause": None, "limitCount": None, "limitOffset": None}
    return _with_targets(Node(node.tag, {**node.fields, **fields, "sortClause": clauses or None}), targets)


def _is_single(node: Node) -> bool:
    """Return whether a query has one row: aggregates without groups."""
    return node.flag("hasAggs") and not node.has("groupClause") and not node.has("groupingSets")


def _reaches_out(tree: Node) -> bool:
    """Return whether a query names a column or a WITH item of one around it."""
    return _mentions_outside(tree) or _names_outside(tree)


def _mentions_outside(tree: Node) -> bool:
    return any(node.number("varlevelsup") > level for node, level in _levels(tree) if node.tag == "VAR")


def _names_outside(tree: Node) -> bool:
    entries = ((RangeEntry(node), level) for node, level in _levels(tree) if node.tag in ("RANGETBLENTRY", "RTE"))
    return any(entry.kind is RTEKind.CTE and entry.node.number("ctelevelsup") > level for entry, level in entries)


def _levels(tree: Tree, depth: int = -1) -> Iterator[tuple[Node, int]]:
    """Yield the nodes of a query, each with the number of queries between it and that one."""
    if isinstance(tree, list):
        for item in tree:
            yield from _levels(item, depth)
    elif isinstance(tree, Node):
        inner = depth + (tree.tag == "QUERY")
        yield tree, inner
        for value in tree.fields.values():
            yield from _levels(value, inner)
