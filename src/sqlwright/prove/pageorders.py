"""The orders of a query's pages: that each is total, and what a cursor holds of a row to continue from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import psycopg

from sqlwright.diagnostics import Code, CompileError
from sqlwright.prove.asking.describe import Refused, TypeNames
from sqlwright.prove.catalog.objects import FIRST_USER_OID
from sqlwright.prove.catalog.sorting import read_sorting
from sqlwright.prove.rules.exprtypes import type_of
from sqlwright.prove.rules.queries.images import Sense, same_for_equals
from sqlwright.prove.rules.queries.lasting import Lasting
from sqlwright.prove.shape.conditions import SortColumn, collation_of
from sqlwright.prove.statement import Statement, StatementProof, is_total_in, nullable_sort_columns, why_total
from sqlwright.prove.tree.enums import RTEKind, TypType
from sqlwright.prove.tree.expressions import structure
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, walk
from sqlwright.prove.tree.querytree import Query, RangeEntry, TargetEntry
from sqlwright.prove.varied import VariedQuery
from sqlwright.sql.keyset import Key, later, operand, patterns, written
from sqlwright.sql.lexer import Kind, significant
from sqlwright.sql.pages import PageOrder, Places, SortItem, sort_items, without_alias
from sqlwright.sql.variants import Cut, switched

SPELLED_OUT = "sort by a column, or by an expression that is spelled out in ORDER BY; or put the query into a subquery in FROM."
_MOST_NULLABLE = 3
_REFUSED = (Refused, psycopg.Error, *UNREADABLE)
# The types of which the text of a value, as JSON has it, is that value again, in every session. That of floats depends on a setting.
_FLOATS = frozenset({"float4", "float8"})
_EXACT = _FLOATS | {
    *("bool", "int2", "int4", "int8", "numeric", "oid", "text", "varchar", "bpchar", "name", "citext", "uuid", "bytea"),
    *("date", "time", "timetz", "timestamp", "timestamptz", "inet", "cidr", "macaddr", "macaddr8", "pg_lsn"),
}


@dataclass(frozen=True, slots=True)
class Paging:
    """A query with pages: what is asked about it, its tree, where it is cut, and where its list for ORDER BY is."""

    asked: VariedQuery
    types: TypeNames
    tree: Node
    cut: Cut
    proof: StatementProof
    places: Places
    size: int
    sort: tuple[int, int]

    def with_order(self, by: str) -> str:
        """Return the statement with another list for ORDER BY."""
        start, end = self.sort
        return f"{self.asked.statement.sql[:start]}{by}{self.asked.statement.sql[end:]}"

    def switched(self, by: str) -> Statement:
        """Return the statement that stands for all variants, in an order, whose list stands behind everything else that is cut."""
        statement = self.asked.statement
        text, _ = switched(self.with_order(by), self.cut, len(statement.param_types))
        types = (*statement.param_types, *("bool" for _ in self.cut.groups))
        return replace(statement, sql=text, param_types=types, params=self.proof.params)

    def is_total(self, by: str) -> bool:
        """Return whether no two rows have the same place in an order, in all variants."""
        return bool(why_total(self.asked.connection, self.asked.facts, self.switched(by)))

    @property
    def lasting(self) -> Lasting:
        """What finds out which values are the same in every execution."""
        facts, statement = self.asked.facts, replace(self.asked.statement, params=self.proof.params)
        return Lasting(facts, lambda tree: is_total_in(facts, tree, statement))

    def all_parts(self, by: str) -> Node:
        """Return the tree of the statement that stands for all variants, in an order."""
        statement = self.switched(by)
        return self.asked.tree(statement.sql, statement.param_types)

    def refused(self, name: str, message: str, cure: str) -> CompileError:
        """Return an error about an order."""
        what = f"@page in the order {name}" if self.cut.ordering else "@page"
        line = next((order.line for order in self.asked.query.annotations.orders if order.name == name and order.by), "")
        if line:
            return self.asked.error_at_line(Code.REFUSED_PAGE, f"{what}: {message}", line, cure)
        return self.asked.error(Code.REFUSED_PAGE, f"{what}: {message}", self.sort[0], cure)


@dataclass(frozen=True, slots=True)
class SortedOrder:
    """An order that is proven: as its statements have it, its keys, and the columns in the query tree that they are."""

    order: PageOrder
    keys: tuple[Key, ...]
    columns: tuple[SortColumn, ...]


def prove_order(paging: Paging, name: str, by: str, *, total: bool) -> SortedOrder:
    """Prove an order; `total` if that is known of it.

    Raises:
        CompileError: no pages can be in it; it says why.
        Unrecognised: a tree cannot be read.
    """
    if not total and not paging.is_total(by):
        raise paging.refused(name, "it is not proven that no two rows have the same place", _key_to_add(paging, by))
    tree = paging.asked.tree(paging.with_order(by), paging.asked.statement.param_types)
    items, clauses = sort_items(by), tree.nodes("sortClause")
    if len(items) != len(clauses):
        raise paging.refused(name, "it names a column twice", "name each column once.")
    nullable = nullable_sort_columns(paging.asked.connection, paging.asked.facts, paging.switched(by))
    if sum(nullable) > _MOST_NULLABLE:
        raise paging.refused(
            name,
            f"{sum(nullable)} of its columns may be NULL, and each doubles the number of its statements",
            f"sort by at most {_MOST_NULLABLE} of them, or by `coalesce(column, …)`.",
        )
    targets = {target.sort_group: target for target in Query(tree).targets if target.sort_group}
    keys: list[Key] = []
    columns: list[SortColumn] = []
    whole = Query(paging.all_parts(by))
    sorted_by = {target.sort_group: target.expression for target in whole.targets}
    for item, clause, may_be_null in zip(items, clauses, nullable, strict=True):
        target = targets[clause.number("tleSortGroupRef")]
        expression = sorted_by[clause.number("tleSortGroupRef")]
        _check_values(paging, name, item, whole, expression)
        column = _column(paging, name, item, clause, target.expression)
        _check_groups(paging, name, item, whole, expression, column)
        text = _expression(paging, tree, by, item, target)
        if text is None:
            raise paging.refused(name, f"`{item.text}` stands for an expression that cannot be read", SPELLED_OUT)
        cast = paging.types.cast_name(_compared_type(paging, column))
        keys.append(Key(text, cast, column.sorting.operators, column.sorting.descending, clause.flag("nulls_first"), may_be_null))
        columns.append(column)
    return SortedOrder(_page_order(paging, name, by, tuple(keys), tuple(columns)), tuple(keys), tuple(columns))


def _page_order(paging: Paging, name: str, by: str, keys: tuple[Key, ...], columns: tuple[SortColumn, ...]) -> PageOrder:
    number = len(paging.asked.statement.param_types) + 1

    def conditions(keys: tuple[Key, ...]) -> tuple[tuple[tuple[int, ...], str], ...]:
        found = [(nulls, later(keys, set(nulls))) for nulls in patterns(keys)]
        return tuple((nulls, written(condition, keys, number)) for nulls, condition in found if condition is not None)

    opposite = [key.operators.less if key.descending else key.operators.greater for key in keys]
    floats = tuple(index for index, key in enumerate(keys) if key.cast in _FLOATS)
    return PageOrder(
        name=name,
        mark=_mark(paging, name, by, keys, columns),
        forwards=by,
        backwards=", ".join(item.backwards(operator) for item, operator in zip(sort_items(by), opposite, strict=True)),
        keys=tuple(_held(key, builtin=_compared_type(paging, column) < FIRST_USER_OID) for key, column in zip(keys, columns, strict=True)),
        casts=tuple(key.cast for key in keys),
        after=conditions(keys),
        before=conditions(tuple(key.backwards for key in keys)),
        floats=floats,
    )


def _held(key: Key, *, builtin: bool) -> str:
    """Return the expression for what a cursor holds of a key; `builtin` if its type is PostgreSQL's own.

    For other types, JSON would be made by a user's cast to json, if there is one.
    """
    if key.cast in _FLOATS:
        return f"encode(float8send({key.text}), 'hex')"
    text = key.text if builtin else f"{operand(key.text)}::text"
    # Two collations that are written out may not meet among the arguments of one call.
    return f"to_json({text})" if any(token.text.lower() == "collate" for token in significant(key.text)) else text


def _check_values(paging: Paging, name: str, item: SortItem, whole: Query, expression: Node) -> None:
    """Check that a cursor can hold what an item of ORDER BY is, and that it is the same for each page.

    `whole` stands for all variants, and has the expression.

    Raises:
        CompileError: no pages can be in the order.
    """
    facts = paging.asked.facts
    found = facts.below_domains(type_of(facts, expression))
    if found.kind is not TypType.ENUM and not (found.name in _EXACT and (found.oid < FIRST_USER_OID or found.name == "citext")):
        raise paging.refused(
            name,
            f"`{item.text}` is of type {found.name}, whose values no cursor holds",
            "sort by a number, a text, a time or an enum instead, such as `extract(epoch FROM …)` of an interval.",
        )
    if found.kind is TypType.ENUM and facts.type(type_of(facts, expression)).kind is TypType.DOMAIN:
        # An enum's operators are of all enums (anyenum), and a domain over one is none.
        problem = f"`{item.text}` is of a domain over the enum {found.name}, with which PostgreSQL compares no parameter"
        raise paging.refused(name, problem, f"sort by `{operand(item.text)}::{found.name}`.")
    if found.oid >= FIRST_USER_OID and facts.has_cast_to_text(found.oid):
        problem = f"`{item.text}` is of type {found.name}, which a user's function casts to text: no cursor holds its values"
        raise paging.refused(name, problem, "sort by another column, or drop that cast.")
    if not paging.lasting.holds(whole, expression):
        raise paging.refused(
            name,
            f"`{item.text}` is not the same each time: it depends on the moment, on a setting, on chance, on a subquery, "
            "or on the order in which rows are read",
            "sort by columns, and by what immutable functions make of them, such as `(placed_at AT TIME ZONE 'UTC')::date`; "
            "not by texts of floats, of bytea or of times; by sums of numeric instead of floats, such as `sum(weight::numeric)`; "
            "and let windows sort by a unique column at the end.",
        )


def _column(paging: Paging, name: str, item: SortItem, clause: Node, expression: Node) -> SortColumn:
    """Return the column that an item of ORDER BY is, if the values of cursors can be compared with it."""
    sorting = read_sorting(paging.asked.connection, clause.number("sortop"))
    if sorting is None or sorting.equal != clause.number("eqop"):
        raise paging.refused(name, f"`{item.text}` is sorted by an operator of several families", "sort by an operator of one family.")
    return SortColumn(expression, collation_of(expression), sorting)


def _check_groups(paging: Paging, name: str, item: SortItem, whole: Query, expression: Node, column: SortColumn) -> None:
    """Check that the condition of a page divides no group of rows below it."""
    if not same_for_equals(paging.asked.facts, whole, expression, Sense(column.sorting.equal, column.collation)):
        raise paging.refused(
            name,
            f"`{item.text}` may tell values apart that GROUP BY, DISTINCT, UNION or PARTITION BY takes for equal, such as 1.0 and 1.00",
            "sort by the column that is grouped, by itself; or group by integers, texts or times: `n::text` instead of `n`.",
        )


def _compared_type(paging: Paging, column: SortColumn) -> int:
    """Return the type that a column is compared as: that of the operator, or the column's own enum."""
    own = paging.asked.facts.below_domains(type_of(paging.asked.facts, column.expression))
    return own.oid if own.kind is TypType.ENUM else column.sorting.type


def _expression(paging: Paging, tree: Node, by: str, item: SortItem, target: TargetEntry) -> str | None:
    """Return the text of an item's expression where output columns have no names: that of the output column that it names."""
    outputs, count, sql = paging.places.outputs, len(Query(tree).outputs), paging.with_order(by)
    candidates = [item.text]
    if not target.junk and len(outputs) == count and len(significant(item.text)) == 1:
        candidates = [*without_alias(sql[slice(*outputs[target.number - 1])]), item.text]
    end = outputs[-1][1]
    for text in candidates:
        try:
            found = Query(paging.asked.tree(f'{sql[:end]}, ({text}) AS "?column?"{sql[end:]}', paging.asked.statement.param_types)).outputs
        except _REFUSED:
            continue
        if len(found) == count + 1 and structure(found[-1].expression) == structure(target.expression):
            return text
    return None


def _relations(paging: Paging) -> list[str]:
    """Return the names of the tables and views that a query reads."""
    facts = paging.asked.facts
    entries = [RangeEntry(node) for node in walk(paging.tree) if node.tag in ("RANGETBLENTRY", "RTE")]
    return sorted({facts.relation(entry.relation).qualified for entry in entries if entry.kind is RTEKind.RELATION})


def _mark(paging: Paging, name: str, by: str, keys: tuple[Key, ...], columns: tuple[SortColumn, ...]) -> str:
    """Return the hash of all that a cursor depends on."""
    names = dict(paging.asked.connection.execute("SELECT oid::int8, collname::text FROM pg_collation").fetchall())
    parts = [
        [key.text, key.cast, key.descending, key.nulls_first, key.nullable, key.operators.less, names.get(column.collation, "")]
        for key, column in zip(keys, columns, strict=True)
    ]
    return hashlib.sha256(json.dumps([paging.asked.query.name, name, by, parts, _relations(paging)]).encode()).hexdigest()[:12]


def _key_to_add(paging: Paging, by: str) -> str:
    """Return how to make an order total: by the key of a table in FROM, or of several, where that is proven to be enough."""
    keys = list(_keys(paging))
    for count in range(1, len(keys) + 1):
        for some in combinations(keys, count):
            longer = ", ".join([by, *(column for key in some for column in key)])
            if paging.is_total(longer):
                return f"add a key that is never NULL: `{longer}`."
    return "add a unique column that is never NULL to the end of it."


def _keys(paging: Paging) -> Iterator[tuple[str, ...]]:
    """Yield a key of each table in FROM, as the query would write it."""
    query, facts = Query(paging.tree), paging.asked.facts
    items = [node for item in query.from_items for node in walk(item) if node.tag == "RANGETBLREF"]
    for entry in (query.entry(item.number("rtindex")) for item in items):
        if entry.kind is not RTEKind.RELATION:
            continue
        attributes = facts.relation(entry.relation).attributes
        for index in facts.unique_indexes(entry.relation):
            columns = [attributes[key] for key in index.keys if isinstance(key, int)]
            if len(columns) == len(index.keys) and index.predicate is None and all(column.not_null for column in columns):
                yield tuple(f"{_quoted(entry.alias)}.{_quoted(column.name)}" for column in columns)
                break


def _quoted(name: str) -> str:
    tokens = significant(name)
    plain = len(tokens) == 1 and tokens[0].kind is Kind.WORD and name == name.lower()
    return name if plain else '"' + name.replace('"', '""') + '"'
