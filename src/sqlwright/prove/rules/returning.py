"""RETURNING: the columns of the written table before and after, and the scope around them."""

from __future__ import annotations

from dataclasses import replace

from sqlwright.prove import narrowing
from sqlwright.prove.nodetree import Node, Unrecognised
from sqlwright.prove.nullability import Prover, Scope, Verdict, may_be_null, never_null, table_scope
from sqlwright.prove.querytree import DELETE, INSERT, MERGE, UPDATE, Query
from sqlwright.prove.reach import reach
from sqlwright.prove.schemaobjects import Relation

OLD, NEW = 1, 2
DO_NOTHING, DO_UPDATE = 1, 2
NOT_MATCHED_BY_SOURCE = 1


def scope_of(prover: Prover, query: Query, parent: Scope | None) -> Scope:
    """Give the scope of the RETURNING list of an INSERT, UPDATE, DELETE or MERGE."""
    if query.command not in (INSERT, UPDATE, DELETE, MERGE):
        raise Unrecognised(f"command {query.command}")
    rows = Scope(query, parent)
    rows.known = narrowing.row_facts(prover, rows)
    target = query.result_relation
    # What WHERE says of the target is about the row before, RETURNING shows the row after.
    known = frozenset(f for f in rows.known if query.command != MERGE and not (f[0] in ("slot", "fields") and f[1] == target))
    written = _Written(prover, query, rows)
    return replace(rows, known=known, written=written.column)


class _Written:
    """Judges the columns of the written table."""

    def __init__(self, prover: Prover, query: Query, rows: Scope) -> None:
        self._prover = prover
        self._query = query
        self._rows = rows
        self._relation = prover.facts.relation(query.entry(query.result_relation).relation)
        self._commands = {query.command}
        if query.command == MERGE:
            self._commands = {action.number("commandType") for action in query.merge_actions}
        conflict = query.on_conflict
        self._updates_on_conflict = conflict is not None and conflict.number("action") == DO_UPDATE
        self._reach = reach(prover.facts, query)

    def column(self, item: int, attribute: int, which: int) -> Verdict:
        """Judge a column: `which` is OLD, NEW or 0 for what RETURNING shows by default."""
        if item != self._query.result_relation:
            return self._source(item, attribute)
        relation = self._relation
        if self._reach.decided:
            return may_be_null(self._reach.decided)
        present = stored_column(self._prover, relation, attribute)
        if which != OLD and not present.element_nullable:
            present = replace(present, element_nullable=any(value.element_nullable for value in self._values(attribute)))
        if which == OLD and INSERT in self._commands:
            return may_be_null(
                "there is no old row when one is inserted",
                element_nullable=present.element_nullable,
                absent_row=True,
                witness=not present.nullable,
            )
        if which == NEW and DELETE in self._commands:
            return may_be_null(
                "there is no new row when one is deleted",
                element_nullable=present.element_nullable,
                absent_row=True,
                witness=not present.nullable,
            )
        if not present.nullable or attribute < 1:
            return present
        if relation.kind not in ("r", "p") or self._query.command == MERGE:
            return present
        if which == OLD or self._query.command == DELETE:
            known = ("slot", item, attribute) in self._rows.known or ("fields", item, 0) in self._rows.known
            return never_null("WHERE drops the rows in which it is NULL", element_nullable=present.element_nullable) if known else present
        return self._assigned(item, attribute, present)

    def _source(self, item: int, attribute: int) -> Verdict:
        """A column of the source of a MERGE."""
        plain = replace(self._rows, written=None)
        node = Node("VAR", {"varno": str(item), "varattno": str(attribute), "varlevelsup": "0", "location": "-1"})
        verdict = self._prover.verdict(node, plain)
        actions = self._query.merge_actions
        if any("matchKind" not in a.fields or a.number("matchKind") == NOT_MATCHED_BY_SOURCE for a in actions):
            witness = not verdict.nullable or verdict.witness
            return may_be_null(
                "there is no source row WHEN NOT MATCHED BY SOURCE",
                -1,
                element_nullable=verdict.element_nullable,
                absent_row=True,
                witness=witness,
            )
        return verdict

    def _assigned(self, item: int, attribute: int, present: Verdict) -> Verdict:
        """The row after an INSERT or UPDATE, in a column that may hold NULL: what the statement puts there, unless a trigger interferes."""
        relation = self._relation
        if self._reach.altered:
            return present
        if attribute in relation.attributes and relation.attributes[attribute].generated:
            return present
        if self._query.command == UPDATE:
            values = self._values(attribute)
            if values:
                return values[0]
            if ("slot", item, attribute) in self._rows.known:
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
        """The verdicts on the values that the statement itself may put into a column."""
        query, found = self._query, list[Verdict]()
        if query.command == INSERT:
            found.append(inserted_value(self._prover, query, self._relation, attribute, self._rows))
        elif query.command == UPDATE:
            found += [self._prover.verdict(t.expression, self._rows) for t in query.targets if t.number == attribute and not t.junk]
        for action in query.merge_actions:
            entries = [entry for entry in action.nodes("targetList") if entry.number("resno") == attribute]
            found += [self._prover.verdict(entry.node("expr"), replace(self._rows, known=frozenset())) for entry in entries]
        conflict = query.on_conflict
        if conflict is not None and self._updates_on_conflict:
            scope = self._conflict_scope(conflict)
            entries = [entry for entry in conflict.nodes("onConflictSet") if entry.number("resno") == attribute]
            found += [self._prover.verdict(entry.node("expr"), scope) for entry in entries]
        return found

    def _conflict_scope(self, conflict: Node) -> Scope:
        """The scope of DO UPDATE SET: the row that is there already, and `excluded`, the one that was to be inserted."""
        excluded = conflict.number("exclRelIndex")
        scope = replace(self._rows, joins=None)
        scope.tree.paths[excluded] = ()
        condition = conflict.optional("onConflictWhere")
        if condition is not None:
            scope = scope.knowing(narrowing.true(narrowing.Ground(self._prover, scope), condition))
        return scope.knowing(
            ("slot", excluded, number)
            for number in self._relation.attributes
            if not inserted_value(self._prover, self._query, self._relation, number, self._rows).nullable
        )


def assigned_values(query: Query, attribute: int) -> list[Node]:
    """Return the expressions that a statement puts into a column of its target."""
    found = [target.expression for target in query.targets if target.number == attribute and not target.junk]
    entries = [entry for action in query.merge_actions for entry in action.nodes("targetList")]
    if query.on_conflict is not None:
        entries += query.on_conflict.nodes("onConflictSet")
    return [*found, *(entry.node("expr") for entry in entries if entry.number("resno") == attribute)]


def inserted_value(prover: Prover, query: Query, relation: Relation, attribute: int, rows: Scope) -> Verdict:
    """Judge what an INSERT puts into a column: its own value, or the default."""
    for target in query.targets:
        if target.number == attribute and not target.junk and target.expression.tag != "SETTODEFAULT":
            return prover.verdict(target.expression, rows)
    default = prover.facts.defaults(relation.oid).get(attribute)
    if default is None:
        return may_be_null(f"it is not written, and `{relation.name}` has no default for it", element_nullable=False)
    verdict = prover.verdict(default, table_scope(prover, relation.oid))
    return replace(verdict, location=-1, reason=f"its default is inserted: {verdict.reason}")


def stored_column(prover: Prover, relation: Relation, attribute: int) -> Verdict:
    """Judge a column by its constraints alone. A row written through a view need not satisfy the view's WHERE."""
    if relation.kind == "v":
        outputs = prover.query(prover.facts.view_query(relation.oid))
        entry = outputs.outputs[attribute - 1] if 0 < attribute <= len(outputs.outputs) else None
        if entry is None or entry.expression.tag != "VAR" or entry.expression.number("varlevelsup"):
            return may_be_null(f"`{relation.name}` is a view that computes it")
        inner = outputs.entry(entry.expression.number("varno"))
        if len(outputs.from_items) != 1 or outputs.from_items[0].tag != "RANGETBLREF":
            return may_be_null(f"`{relation.name}` is a view over a join")
        return stored_column(prover, prover.facts.relation(inner.relation), entry.expression.number("varattno"))
    scope = table_scope(prover, relation.oid)
    node = Node("VAR", {"varno": "1", "varattno": str(attribute), "varlevelsup": "0", "location": "-1"})
    return prover.verdict(node, scope)
