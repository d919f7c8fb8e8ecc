"""RETURNING: the columns of the written table before and after the statement."""

from __future__ import annotations

from dataclasses import replace

from sqlwright.prove.catalog.objects import Relation
from sqlwright.prove.rules import narrowing
from sqlwright.prove.rules.rows.reach import reach
from sqlwright.prove.rules.scopes import Prover, Scope, table_scope
from sqlwright.prove.rules.verdicts import Verdict, may_be_null, never_null
from sqlwright.prove.tree.enums import CmdType, MergeMatchKind, OnConflictAction, RelKind, VarReturningType
from sqlwright.prove.tree.expressions import column_of
from sqlwright.prove.tree.nodetree import Node, Unrecognised
from sqlwright.prove.tree.querytree import Query
from sqlwright.prove.tree.rowfacts import ColumnPresent, RowComplete, RowFacts, is_about_columns_of


def scope_of(prover: Prover, query: Query, parent: Scope | None) -> Scope:
    """Return the scope of the RETURNING list of an INSERT, UPDATE, DELETE or MERGE."""
    if query.command not in (CmdType.INSERT, CmdType.UPDATE, CmdType.DELETE, CmdType.MERGE):
        raise Unrecognised(f"command {query.command}")
    rows = Scope(query, parent)
    rows.known = narrowing.row_facts(prover, rows)
    # What WHERE says of the target is about the row before, RETURNING shows the row after.
    known: RowFacts = frozenset()
    if query.command is not CmdType.MERGE:
        known = frozenset(f for f in rows.known if not any(is_about_columns_of(f, target) for target in query.written_items))
    written = _Written(prover, query, rows)
    return replace(rows, known=known, written=written.column)


class _Written:
    """Judges the columns of the written table."""

    def __init__(self, prover: Prover, query: Query, rows: Scope) -> None:
        self._prover = prover
        self._query = query
        self._rows = rows
        self._relation = prover.facts.relation(query.target_relation)
        self._commands = {query.command}
        if query.command is CmdType.MERGE:
            self._commands = {action.enum("commandType", CmdType) for action in query.merge_actions}
        conflict = query.on_conflict
        self._updates_on_conflict = conflict is not None and conflict.enum("action", OnConflictAction) is OnConflictAction.UPDATE
        self._reach = reach(prover.facts, query)

    def column(self, item: int, attribute: int, which: VarReturningType) -> Verdict:
        """Return the verdict on a column of the row that RETURNING shows by default, or of OLD or NEW."""
        if item != self._query.result_relation:
            return self._source(item, attribute)
        relation = self._relation
        if self._reach.decided:
            return may_be_null(self._reach.decided)
        present = stored_column(self._prover, relation, attribute)
        values = self._values(attribute)
        holes = which is not VarReturningType.OLD and any(value.element_nullable for value in values)
        if self._updates_on_conflict and len(values) == 1:  # the row may be one that was there, and is not changed in this column
            holes = holes or present.element_nullable
        present = present.with_elements(nullable=present.element_nullable or holes)
        if which is VarReturningType.OLD and CmdType.INSERT in self._commands:
            return may_be_null(
                "there is no old row when one is inserted",
                element_nullable=present.element_nullable,
                null_extended=True,
                presence_column=not present.nullable,
            )
        if which is VarReturningType.NEW and CmdType.DELETE in self._commands:
            return may_be_null(
                "there is no new row when one is deleted",
                element_nullable=present.element_nullable,
                null_extended=True,
                presence_column=not present.nullable,
            )
        if not present.nullable or attribute < 1:
            return present
        if not relation.is_table or self._query.command is CmdType.MERGE:
            return present
        if which is VarReturningType.OLD or self._query.command is CmdType.DELETE:
            known = ColumnPresent(item, attribute) in self._rows.known or RowComplete(item) in self._rows.known
            return never_null("WHERE drops the rows in which it is NULL", element_nullable=present.element_nullable) if known else present
        assigned = self._assigned(item, attribute, present)
        return assigned.with_elements(nullable=assigned.element_nullable or holes)

    def _source(self, item: int, attribute: int) -> Verdict:
        """Return the verdict on a column of the source of a MERGE."""
        verdict = self._prover.verdict(column_of(item, attribute), replace(self._rows, written=None))
        actions = self._query.merge_actions
        if any("matchKind" not in a.fields or a.enum("matchKind", MergeMatchKind) is MergeMatchKind.NOT_MATCHED_BY_SOURCE for a in actions):
            return may_be_null(
                "there is no source row WHEN NOT MATCHED BY SOURCE",
                element_nullable=verdict.element_nullable,
                null_extended=True,
                presence_column=not verdict.nullable or verdict.nullability.presence_column,
            )
        return verdict

    def _assigned(self, item: int, attribute: int, present: Verdict) -> Verdict:
        """Return the verdict on a nullable column after an INSERT or UPDATE: on the assigned value, if no trigger interferes."""
        relation = self._relation
        if self._reach.altered:
            return present
        if attribute in relation.attributes and relation.attributes[attribute].generated:
            return present
        if self._query.command is CmdType.UPDATE:
            values = self._values(attribute)
            if values:
                return values[0]
            if ColumnPresent(item, attribute) in self._rows.known:
                return never_null(
                    "WHERE drops the rows in which it is NULL, and it is not changed", element_nullable=present.element_nullable
                )
            return present
        inserted = inserted_value(self._prover, self._query, relation, attribute, self._rows)
        if inserted.nullable or not self._updates_on_conflict:
            return inserted
        conflict = self._query.on_conflict
        if conflict is None:
            return inserted
        for entry in conflict.nodes("onConflictSet"):
            if entry.number("resno") == attribute:
                return self._prover.verdict(entry.node("expr"), self._conflict_scope(conflict))
        return present

    def _values(self, attribute: int) -> list[Verdict]:
        """Return the verdicts on the values that the statement itself may put into a column."""
        query, found = self._query, list[Verdict]()
        if query.command is CmdType.INSERT:
            found.append(inserted_value(self._prover, query, self._relation, attribute, self._rows))
        elif query.command is CmdType.UPDATE:
            found += [self._prover.verdict(value, self._rows) for value in supplied_values(query, attribute)]
        for action in query.merge_actions:
            entries = [entry for entry in action.nodes("targetList") if entry.number("resno") == attribute]
            found += [self._prover.verdict(entry.node("expr"), replace(self._rows, known=frozenset())) for entry in entries]
            if action.enum("commandType", CmdType) is CmdType.INSERT and not entries:
                found.append(_default_value(self._prover, self._relation, attribute))
        conflict = query.on_conflict
        if conflict is not None and self._updates_on_conflict:
            scope = self._conflict_scope(conflict)
            entries = [entry for entry in conflict.nodes("onConflictSet") if entry.number("resno") == attribute]
            found += [self._prover.verdict(entry.node("expr"), scope) for entry in entries]
        return found

    def _conflict_scope(self, conflict: Node) -> Scope:
        """Return the scope of DO UPDATE SET: the existing row, and `excluded`, the row proposed for insertion."""
        item = conflict.number("exclRelIndex")

        def excluded(at: int, attribute: int) -> Verdict | None:
            return self._excluded(attribute) if at == item and attribute > 0 else None

        scope = replace(self._rows, joins=None, excluded=excluded)
        scope.tree.paths[item] = ()
        condition = conflict.optional("onConflictWhere")
        return scope.knowing(narrowing.true(narrowing.Ground(self._prover, scope), condition)) if condition is not None else scope

    def _excluded(self, attribute: int) -> Verdict:
        """Return the verdict on a column of `excluded`: the proposed value after triggers. Constraints are checked before conflicts."""
        stored = stored_column(self._prover, self._relation, attribute)
        inserted = inserted_value(self._prover, self._query, self._relation, attribute, self._rows)
        elements = stored.element_nullable or inserted.element_nullable
        proven = inserted if stored.nullable and not inserted.nullable and not self._reach.altered else stored
        return proven.with_elements(nullable=elements)


def supplied_values(query: Query, attribute: int) -> list[Node]:
    """Return the values that the target list of an INSERT or UPDATE assigns to a column."""
    return [target.expression for target in query.targets if target.number == attribute and not target.junk]


def assigned_values(query: Query, attribute: int) -> list[Node]:
    """Return all expressions that a statement assigns to a column of its target."""
    entries = [entry for action in query.merge_actions for entry in action.nodes("targetList")]
    if query.on_conflict is not None:
        entries += query.on_conflict.nodes("onConflictSet")
    return [*supplied_values(query, attribute), *(entry.node("expr") for entry in entries if entry.number("resno") == attribute)]


def inserted_value(prover: Prover, query: Query, relation: Relation, attribute: int, rows: Scope) -> Verdict:
    """Return the verdict on the value that an INSERT assigns to a column: its own, or the default."""
    for value in supplied_values(query, attribute):
        if value.tag != "SETTODEFAULT":
            return prover.verdict(value, rows)
    return _default_value(prover, relation, attribute)


def _default_value(prover: Prover, relation: Relation, attribute: int) -> Verdict:
    """Return the verdict on an omitted column. A view's column without a default has that of the column below."""
    default = prover.facts.defaults(relation.oid).get(attribute)
    if default is not None:
        verdict = prover.verdict(default, table_scope(prover, relation.oid))
        return replace(verdict, location=None, reason=f"its default is inserted: {verdict.reason}")
    if relation.kind is RelKind.VIEW:
        under = _column_below(prover, relation, attribute)
        elements = _default_value(prover, *under).element_nullable if under is not None else True
        return may_be_null(f"it is not written through the view `{relation.name}`", element_nullable=elements)
    return may_be_null(f"it is not written, and `{relation.name}` has no default for it", element_nullable=False)


def _column_below(prover: Prover, view: Relation, attribute: int) -> tuple[Relation, int] | None:
    """Return the relation and the column that a column of a view shows unchanged, if the view is over a single one."""
    outputs = prover.query(prover.facts.view_query(view.oid))
    entry = outputs.outputs[attribute - 1] if 0 < attribute <= len(outputs.outputs) else None
    if entry is None or entry.expression.tag != "VAR" or entry.expression.number("varlevelsup"):
        return None
    if len(outputs.from_items) != 1 or outputs.from_items[0].tag != "RANGETBLREF":
        return None
    inner = outputs.entry(entry.expression.number("varno"))
    return prover.facts.relation(inner.relation), entry.expression.number("varattno")


def stored_column(prover: Prover, relation: Relation, attribute: int) -> Verdict:
    """Return the verdict on a column by its constraints alone: a row written through a view need not satisfy the view's WHERE."""
    if relation.kind is RelKind.VIEW:
        below = _column_below(prover, relation, attribute)
        if below is None:
            return may_be_null(f"`{relation.name}` is a view that computes it, or a view over a join")
        return stored_column(prover, *below)
    return prover.verdict(column_of(1, attribute), table_scope(prover, relation.oid))
