"""The analysed query tree: how it is obtained from the server, and its parts by name.

The tree comes out of `debug_print_parse`: while it is on, the server sends the tree of each statement it parses as a LOG message. That
costs one round trip and no catalogue write, and keeps the place of every expression, which PostgreSQL 17 and later drop from stored trees.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import psycopg
from psycopg import pq
from psycopg.errors import Diagnostic

from sqlwright.prove.tree.enums import CmdType, GroupingSetKind, NullTestType, RTEKind, VarReturningType
from sqlwright.prove.tree.nodetree import Node, Tree, Unrecognised, as_nodes, parse

_MOST_PARTS = 8  # a CUBE of more makes too many sets to look at
# Behind those that make the server send the tree are those that a proof must not take from the server's configuration: with them the tree
# is the one whose rules also hold in sessions that are set otherwise.
_SETTINGS = b"""
SELECT set_config('debug_print_parse', 'on', true), set_config('debug_pretty_print', 'off', true),
       set_config('client_min_messages', 'log', true),
       set_config('transform_null_equals', 'off', true), set_config('array_nulls', 'on', true),
       set_config('standard_conforming_strings', 'on', true)
"""
_IN_A_BLOCK = b"SAVEPOINT sqlwright_tree;" + _SETTINGS, b"ROLLBACK TO SAVEPOINT sqlwright_tree; RELEASE SAVEPOINT sqlwright_tree"
_ALONE = b"BEGIN;" + _SETTINGS, b"ROLLBACK"


class TargetEntry:
    """An entry of a target list: `number` counts from 1; a junk entry is computed but not returned."""

    __slots__ = ("expression", "junk", "name", "node", "number", "sort_group")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.expression = node.node("expr")
        self.number = node.number("resno")
        self.name = node.text("resname")
        self.junk = node.flag("resjunk")
        self.sort_group = node.number("ressortgroupref")


class RangeEntry:
    """An entry of the range table: an item of FROM, a join, or the target."""

    __slots__ = ("kind", "node")

    def __init__(self, node: Node) -> None:
        if node.tag not in ("RANGETBLENTRY", "RTE"):
            raise Unrecognised(f"{node.tag} in a range table")
        self.node = node
        self.kind = node.enum("rtekind", RTEKind)

    @property
    def alias(self) -> str:
        """The name that the query uses for it; "" for joins without one."""
        eref = self.node.optional("eref")
        name = eref.text("aliasname") if eref else ""
        return "" if name == "unnamed_join" else name

    @property
    def column_names(self) -> list[str]:
        """The names of its columns, in order."""
        eref = self.node.optional("eref")
        return eref.names("colnames") if eref else []

    @property
    def relation(self) -> int:
        """The OID of the table or view; only for RELATION."""
        return self.node.number("relid")

    @property
    def with_children(self) -> bool:
        """Whether inheritance children are read too (no ONLY)."""
        return self.node.flag("inh")


class Query:
    """A QUERY node with its parts. Lists are read on demand, so that an unknown part affects only the proofs that need it."""

    def __init__(self, node: Node) -> None:
        if node.tag != "QUERY":
            raise Unrecognised(f"{node.tag} instead of a query")
        self.node = node
        self.command = node.enum("commandType", CmdType)

    @cached_property
    def range_table(self) -> list[RangeEntry]:
        """The range table; Vars count its entries from 1."""
        return [RangeEntry(entry) for entry in self.node.nodes("rtable")]

    def entry(self, number: int) -> RangeEntry:
        """Return a range table entry by its number, from 1."""
        if not 1 <= number <= len(self.range_table):
            raise Unrecognised(f"no range table entry {number}")
        return self.range_table[number - 1]

    @cached_property
    def targets(self) -> list[TargetEntry]:
        """The target list: output columns of a SELECT, assigned columns of an INSERT or UPDATE."""
        return [TargetEntry(entry) for entry in self.node.nodes("targetList")]

    @cached_property
    def returning(self) -> list[TargetEntry]:
        """The RETURNING list."""
        return [TargetEntry(entry) for entry in self.node.nodes("returningList")]

    @property
    def outputs(self) -> list[TargetEntry]:
        """The columns that the query returns."""
        entries = self.targets if self.command is CmdType.SELECT else self.returning
        return [entry for entry in entries if not entry.junk]

    @property
    def from_items(self) -> list[Node]:
        """The items of FROM."""
        return self.node.node("jointree").nodes("fromlist")

    @property
    def where(self) -> Node | None:
        """The WHERE condition."""
        return self.node.node("jointree").optional("quals")

    @property
    def result_relation(self) -> int | None:
        """The range table entry that is written; None for SELECT."""
        return self.node.number("resultRelation") or None

    @property
    def written_items(self) -> tuple[int, ...]:
        """The range table entries that are written: one, or none."""
        return () if self.result_relation is None else (self.result_relation,)

    @property
    def target_relation(self) -> int:
        """The OID of the relation that is written. Raises `Unrecognised` for SELECT."""
        if self.result_relation is None:
            raise Unrecognised("a statement without a target")
        return self.entry(self.result_relation).relation

    @property
    def set_operations(self) -> Node | None:
        """The tree of UNION, INTERSECT and EXCEPT."""
        return self.node.optional("setOperations")

    @property
    def on_conflict(self) -> Node | None:
        """ON CONFLICT."""
        return self.node.optional("onConflict")

    @property
    def merge_actions(self) -> list[Node]:
        """The WHEN clauses of a MERGE."""
        return self.node.nodes("mergeActionList") if "mergeActionList" in self.node.fields else []

    @property
    def merge_condition(self) -> Node | None:
        """The ON condition of a MERGE, where the tree keeps it apart (PostgreSQL 17 and later)."""
        return self.node.optional("mergeJoinCondition") if "mergeJoinCondition" in self.node.fields else None

    @property
    def common_tables(self) -> list[Node]:
        """The WITH list."""
        return self.node.nodes("cteList")

    @property
    def having(self) -> Node | None:
        """The HAVING condition."""
        return self.node.optional("havingQual")

    @property
    def groups(self) -> bool:
        """Whether rows are grouped: GROUP BY, an aggregate or HAVING."""
        return self.node.flag("hasAggs") or self.node.has("groupClause") or self.node.has("groupingSets") or self.having is not None

    @cached_property
    def grouping_sets(self) -> list[frozenset[int]] | None:
        """GROUPING SETS, ROLLUP and CUBE expanded to sets of sort-group references; None for a plain GROUP BY."""
        sets = self.node.nodes("groupingSets")
        if not sets:
            return None
        expanded = [frozenset[int]()]
        for item in sets:
            alternatives = _expand(item)
            expanded = [left | right for left in expanded for right in alternatives]
        return expanded

    def values_rows(self, entry: RangeEntry) -> list[list[Node]]:
        """Return the rows of a VALUES entry."""
        rows: list[list[Node]] = []
        for row in entry.node.items("values_lists"):
            if not isinstance(row, list):
                raise Unrecognised("VALUES without lists")
            rows.append(as_nodes(row))
        return rows


def _expand(item: Node) -> list[frozenset[int]]:
    """Return the sets that an item of GROUP BY stands for."""
    match item.enum("kind", GroupingSetKind):
        case GroupingSetKind.EMPTY:
            return [frozenset()]
        case GroupingSetKind.SIMPLE:
            return [frozenset(item.numbers("content"))]
        case GroupingSetKind.SETS:
            return [found for part in item.nodes("content") for found in _expand(part)]
        case GroupingSetKind.ROLLUP:
            elements = _plain_sets(item)
            return [frozenset().union(*elements[:count]) for count in range(len(elements), -1, -1)]
        case GroupingSetKind.CUBE:
            elements = _plain_sets(item)
            return [frozenset().union(*(e for bit, e in enumerate(elements) if mask >> bit & 1)) for mask in range(1 << len(elements))]


def _plain_sets(item: Node) -> list[frozenset[int]]:
    """Return the elements of a ROLLUP or CUBE, each of which must be a single set."""
    parts = [_expand(part) for part in item.nodes("content")]
    if any(len(part) != 1 for part in parts) or len(parts) > _MOST_PARTS:
        raise Unrecognised("a ROLLUP or CUBE of sets")
    return [part[0] for part in parts]


def null_test(node: Node) -> NullTestType | None:
    """Return whether an expression is IS NULL or IS NOT NULL, if it is one of them."""
    return node.enum("nulltesttype", NullTestType) if node.tag == "NULLTEST" else None


def returning_type(var: Node) -> VarReturningType:
    """Return whether a column in RETURNING is one of OLD or NEW, which exist since PostgreSQL 18."""
    return var.enum("varreturningtype", VarReturningType) if "varreturningtype" in var.fields else VarReturningType.DEFAULT


def analysed_query(connection: psycopg.Connection[Any], sql: str, param_types: Sequence[int]) -> Tree:
    """Return the tree that the server makes when it parses and analyses a statement. Nothing is executed, and nothing persists.

    Raises:
        psycopg.Error: PostgreSQL refuses the statement.
        Unrecognised: no tree came back, or not one that can be read.
    """
    dumps: list[str] = []

    def collect(diagnostic: Diagnostic) -> None:
        detail = diagnostic.message_detail
        if diagnostic.severity_nonlocalized == "LOG" and detail is not None and detail.lstrip().startswith("{QUERY"):
            dumps.append(detail)

    # libpq's own calls: psycopg's, for a transaction and its settings, take longer than to read the tree.
    pgconn = connection.pgconn
    begin, undo = _ALONE if pgconn.transaction_status == pq.TransactionStatus.IDLE else _IN_A_BLOCK
    connection.add_notice_handler(collect)
    try:
        result = pgconn.exec_(begin)
        if result.status == pq.ExecStatus.TUPLES_OK:
            result = pgconn.prepare(b"", sql.encode(connection.info.encoding), param_types)
    finally:
        connection.remove_notice_handler(collect)
        if not connection.closed:
            pgconn.exec_(undo)
    if connection.closed:
        raise psycopg.OperationalError(result.get_error_message(connection.info.encoding))
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.lookup((result.error_field(pq.DiagnosticField.SQLSTATE) or b"XX000").decode())(
            result.get_error_message(connection.info.encoding)
        )
    if not dumps:
        raise Unrecognised("the server sent no query tree")
    return parse(dumps[-1])
