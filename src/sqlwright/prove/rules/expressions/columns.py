"""Columns: the sources of a Var, through joins, views, subqueries, CTEs, functions and VALUES."""

from __future__ import annotations

from dataclasses import replace

from sqlwright.prove.rules.expressions import setreturning
from sqlwright.prove.rules.queries import recursion
from sqlwright.prove.rules.queries.outputs import outputs
from sqlwright.prove.rules.scopes import Prover, Scope, table_scope
from sqlwright.prove.rules.verdicts import Nullability, Verdict, either, may_be_null, never_null
from sqlwright.prove.tree.enums import CmdType, JoinType, RelKind, RTEKind, TableFuncType
from sqlwright.prove.tree.expressions import column_below_grouping, columns_of, location, structure
from sqlwright.prove.tree.nodetree import Node, Unrecognised
from sqlwright.prove.tree.querytree import RangeEntry, returning_type
from sqlwright.prove.tree.rowfacts import ColumnPresent, JoinMatched, NullExtension, RowComplete, Side

_JOIN_NAMES = {JoinType.LEFT: "LEFT JOIN", JoinType.RIGHT: "RIGHT JOIN", JoinType.FULL: "FULL JOIN"}
_MAY_BE_GROUPED_AWAY = "a grouping set leaves it out, and its value is NULL there"


def var(prover: Prover, node: Node, scope: Scope) -> Verdict:
    """A column: NULL because its item is null-extended, or because its source is."""
    place = location(node)
    at = scope.up(node.number("varlevelsup"))
    item, attribute = node.number("varno"), node.number("varattno")
    which = returning_type(node)
    if at.written is not None and (item == at.query.result_relation or at.query.command is CmdType.MERGE):
        verdict = at.written(item, attribute, which)
        if verdict.nullable and not which and _learned(at, item, attribute):
            return never_null("a condition around it says that it is not NULL", place, element_nullable=verdict.element_nullable)
        return replace(verdict, location=place)
    if which:
        raise Unrecognised("OLD or NEW of a table that is not written")
    entry = at.query.entry(item)
    if entry.kind is RTEKind.GROUP:
        return _grouped(prover, node, at, entry)
    if at.row is not None and _grouped_away(at, node):
        return may_be_null(_MAY_BE_GROUPED_AWAY, place)
    remaining = [
        event
        for event in at.tree.path(item)
        if JoinMatched(event) not in at.known and ("varnullingrels" not in node.fields or event.join in node.numbers("varnullingrels"))
    ]
    excluded = at.excluded(item, attribute) if at.excluded is not None else None
    base = source(prover, at, item, attribute, place) if excluded is None else replace(excluded, location=place)
    if entry.kind is not RTEKind.JOIN:
        # What may be absent inside of a view or subquery is not this item's row.
        base = base.without_row()
    if base.nullable and _learned(at, item, attribute):
        base = never_null(
            f"a condition drops the rows in which {describe(prover, entry, attribute)} is NULL",
            place,
            element_nullable=base.element_nullable,
        )
    if not remaining:
        return base
    join = at.tree.joins[remaining[0].join]
    side = "a" if join.type is JoinType.FULL else "the nullable"
    verdict = may_be_null(
        f"{label(prover, entry)} is on {side} side of the {_JOIN_NAMES[join.type]}"
        + (", either of which may lack a match" if join.type is JoinType.FULL else ""),
        place,
        element_nullable=base.element_nullable,
        null_extended=True,
        presence_column=not base.nullable,
    )
    return replace(verdict, join_condition=location(join.condition) if join.condition is not None else None)


def label(prover: Prover, entry: RangeEntry) -> str:
    """Return the name of an item of FROM for readers: `orders o`."""
    if entry.kind is RTEKind.RELATION:
        name = prover.facts.relation(entry.relation).name
        return f"`{name}`" if entry.alias in ("", name) else f"`{name} {entry.alias}`"
    return f"`{entry.alias}`" if entry.alias and not entry.alias.startswith("*") else "the joined item"


def describe(prover: Prover, entry: RangeEntry, attribute: int) -> str:
    """Return the name of a column of an item of FROM: `o.total`."""
    names = entry.column_names
    prefix = f"{entry.alias}." if entry.alias and not entry.alias.startswith("*") else ""
    return f"`{prefix}{names[attribute - 1]}`" if 0 < attribute <= len(names) else label(prover, entry)


def _grouped(prover: Prover, node: Node, at: Scope, entry: RangeEntry) -> Verdict:
    """A grouped column of PostgreSQL 18, which belongs to a range table entry that grouping sets may null."""
    expressions = entry.node.nodes("groupexprs")
    index, number = node.number("varattno"), node.number("varno")
    if not 1 <= index <= len(expressions) or at.row is None:
        raise Unrecognised("a grouped column without its expression")
    own = expressions[index - 1]
    sets = at.query.grouping_sets
    # PostgreSQL (all of 15 to 18) folds constants in HAVING before it looks for grouped expressions there, and then keeps groups in which
    # the grouped expression is NULL. Plain columns are safe from that.
    kept = own.tag == "VAR" and ColumnPresent(number, index) in at.known
    if sets is not None and not kept:
        groups = _group_numbers(at, own)
        if not groups or not all(any(group in chosen for group in groups) for chosen in sets):
            return may_be_null(_MAY_BE_GROUPED_AWAY, location(node))
    verdict = prover.verdict(own, at.row)
    if verdict.nullable and ColumnPresent(number, index) in at.known:
        return never_null("HAVING drops the groups in which it is NULL", location(node), element_nullable=verdict.element_nullable)
    return verdict


def _group_numbers(at: Scope, own: Node) -> set[int]:
    """Return the sort-group references under which an expression is grouped."""
    wanted = structure(own)
    found: set[int] = set()
    for target in at.query.targets:
        if not target.sort_group:
            continue
        if structure(column_below_grouping(at.query, target.expression)) == wanted:
            found.add(target.sort_group)
    return found


def _grouped_away(at: Scope, node: Node) -> bool:
    """Return whether a column after grouping is part of an expression that some grouping set omits; for trees before PostgreSQL 18."""
    sets = at.query.grouping_sets
    if sets is None:
        return False
    own = (node.number("varno"), node.number("varattno"))
    return any(
        target.sort_group and not all(target.sort_group in chosen for chosen in sets) and own in columns_of(target.expression)
        for target in at.query.targets
    )


def _learned(at: Scope, item: int, attribute: int) -> bool:
    return ColumnPresent(item, attribute) in at.known or RowComplete(item) in at.known


# --- sources --------------------------------------------------------------------------------------------------------------


def source(prover: Prover, at: Scope, item: int, attribute: int, place: int | None) -> Verdict:
    """Return the verdict on a column of an item of FROM, before any outer join."""
    entry = at.query.entry(item)
    if attribute == 0:
        return _whole_row(prover, entry, place)
    match entry.kind:
        case RTEKind.RELATION:
            return _relation_column(prover, entry, attribute, place)
        case RTEKind.SUBQUERY:
            return _nth(outputs(prover, entry.node.node("subquery"), at), attribute)
        case RTEKind.JOIN:
            return _alias(prover, at, item, entry, attribute)
        case RTEKind.FUNCTION:
            return setreturning.function_column(prover, at, entry, attribute, place)
        case RTEKind.TABLEFUNC:
            return _table_function(entry, attribute, place)
        case RTEKind.VALUES:
            return either([prover.verdict(row[attribute - 1], at) for row in at.query.values_rows(entry)])
        case RTEKind.CTE:
            return recursion.cte_column(prover, at, entry, attribute)
        case RTEKind.NAMEDTUPLESTORE | RTEKind.RESULT | RTEKind.GROUP:
            raise Unrecognised(f"range table entry of kind {entry.kind.name}")


def _nth(verdicts: tuple[Verdict, ...], attribute: int) -> Verdict:
    if not 1 <= attribute <= len(verdicts):
        raise Unrecognised(f"no column {attribute}")
    return verdicts[attribute - 1]


def _whole_row(prover: Prover, entry: RangeEntry, place: int | None) -> Verdict:
    if entry.kind in (RTEKind.RELATION, RTEKind.SUBQUERY, RTEKind.CTE, RTEKind.VALUES):
        return never_null(f"the row of {label(prover, entry)} as a whole is never NULL, whatever its fields are", place)
    return may_be_null(f"the row of {label(prover, entry)} may be NULL as a whole", place)


def _relation_column(prover: Prover, entry: RangeEntry, attribute: int, place: int | None) -> Verdict:
    relation = prover.facts.relation(entry.relation)
    if relation.kind in (RelKind.VIEW, RelKind.MATVIEW):
        if attribute < 0:
            raise Unrecognised("a system column of a view")
        inner = _nth(outputs(prover, prover.facts.view_query(relation.oid), None), attribute)
        return replace(inner, location=place, join_condition=None, reason=f"in the view `{relation.name}`: {inner.reason}")
    if attribute < 0:
        if relation.is_table:
            return never_null("a system column is never NULL", place)
        return may_be_null(f"`{relation.name}` is a foreign table", place)
    try:
        column = relation.attributes[attribute]
    except KeyError:
        raise Unrecognised(f"no column {attribute} of {relation.name}") from None
    elements = prover.facts.elements_nullable(relation, attribute)
    if not column.not_null and column.generated and not relation.descendants and relation.is_table:
        generation = prover.facts.defaults(relation.oid).get(attribute)
        if generation is not None and not prover.verdict(generation, table_scope(prover, relation.oid)).nullable:
            return never_null(
                f"`{relation.name}.{column.name}` is generated by an expression that is never NULL",
                place,
                element_nullable=elements,
            )
    return Verdict(Nullability(nullable=not column.not_null, element_nullable=elements), column.why, place)


def _alias(prover: Prover, at: Scope, item: int, entry: RangeEntry, attribute: int) -> Verdict:
    """A merged column.

    That of a FULL JOIN is COALESCE over both sides, one of which is always there: it is enough that neither column is NULL itself.
    """
    columns = entry.node.items("joinaliasvars")
    column = columns[attribute - 1] if attribute <= len(columns) else None
    if not isinstance(column, Node):
        raise Unrecognised("a dropped column of a join")
    if column.tag == "COALESCEEXPR" and at.tree.joins[item].type is JoinType.FULL and attribute <= entry.node.number("joinmergedcols"):
        matched = at.knowing(JoinMatched(NullExtension(item, side)) for side in Side)
        sides = [prover.verdict(side, matched) for side in column.nodes("args")]
        if not any(side.nullable for side in sides):
            return never_null(
                "one side of the FULL JOIN is always there, and the column is NULL on neither",
                location(column),
                element_nullable=any(side.element_nullable for side in sides),
            )
    return prover.verdict(column, at)


def _table_function(entry: RangeEntry, attribute: int, place: int | None) -> Verdict:
    """XMLTABLE checks its NOT NULL columns, and counts its FOR ORDINALITY column."""
    table = entry.node.node("tablefunc")
    if "functype" in table.fields and table.enum("functype", TableFuncType) is not TableFuncType.XMLTABLE:
        return may_be_null("a column of JSON_TABLE is NULL where the document has nothing for it", place)
    if table.number("ordinalitycol") == attribute - 1:
        return never_null("FOR ORDINALITY counts the rows", place)
    if attribute - 1 in table.numbers("notnulls"):
        return never_null("the column of XMLTABLE is declared NOT NULL, which is checked", place)
    return may_be_null("a column of XMLTABLE is NULL where the document has nothing for it", place)
