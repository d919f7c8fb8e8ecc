"""The path from a relation that a statement writes, through the views over it, down to the table: rules and triggers on the way.

PostgreSQL rewrites a statement on a view into one on the relation under it, level by level, and each level may have rules and INSTEAD OF
triggers. At the end is a table, whose partitions and children have row triggers too. Every rule about written rows uses this module.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.catalog.objects import Relation
from sqlwright.prove.tree.enums import CmdType, OnConflictAction, RelKind, RTEKind
from sqlwright.prove.tree.querytree import Query

_WRITES = frozenset({CmdType.INSERT, CmdType.UPDATE, CmdType.DELETE})


@dataclass(frozen=True, slots=True)
class Reach:
    """What may come between a statement and the rows that it returns; each is a reason in words, or None.

    `rewritten`: a rule replaces or accompanies the statement. `replaced`: an INSTEAD OF trigger decides what is written and returned.
    `altered`: rows may be skipped or changed on their way into the table.
    """

    rewritten: str | None = None
    replaced: str | None = None
    altered: str | None = None

    @property
    def decided(self) -> str | None:
        """The reason why the statement does not decide which rows are returned and what they hold."""
        return self.rewritten or self.replaced


def events_of(query: Query) -> frozenset[CmdType]:
    """Return what a statement may do to rows of its target: INSERT, UPDATE, DELETE."""
    is_merge = query.command is CmdType.MERGE
    commands = {action.enum("commandType", CmdType) for action in query.merge_actions} if is_merge else {query.command}
    conflict = query.on_conflict
    if conflict is not None and conflict.enum("action", OnConflictAction) is OnConflictAction.UPDATE:
        commands.add(CmdType.UPDATE)
    return _WRITES & commands


def reach(facts: SchemaFacts, query: Query) -> Reach:
    """Return what may come between a statement that writes and the rows that it returns."""
    relation, events = facts.relation(query.target_relation), events_of(query)
    while True:
        if events & relation.rules:
            return Reach(rewritten=f"a rule on `{relation.name}` rewrites the statement")
        if events & relation.instead_triggers:
            return Reach(replaced=f"an INSTEAD OF trigger on `{relation.name}` decides what is returned")
        if relation.kind is not RelKind.VIEW:
            return Reach(altered=_altered(facts, relation, events))
        under = relation_under(facts, relation)
        if under is None:
            # Without a rule or a trigger PostgreSQL refuses to write through such a view.
            return Reach(replaced=f"`{relation.name}` is a view over a join")
        relation = under


def relation_under(facts: SchemaFacts, view: Relation) -> Relation | None:
    """Return the relation that a view reads, where it reads one relation only."""
    query = Query(facts.view_query(view.oid))
    if len(query.from_items) != 1 or query.from_items[0].tag != "RANGETBLREF":
        return None
    entry = query.entry(query.from_items[0].number("rtindex"))
    return facts.relation(entry.relation) if entry.kind is RTEKind.RELATION else None


def _altered(facts: SchemaFacts, table: Relation, events: frozenset[CmdType]) -> str | None:
    family = {facts.relation(oid).kind for oid in (table.oid, *table.descendants)}
    # A row that an UPDATE moves to another partition is deleted from the one and inserted into the other.
    moves = CmdType.UPDATE in events and RelKind.PARTITIONED_TABLE in family
    fired = events | {CmdType.INSERT, CmdType.DELETE} if moves else events
    if fired & table.before_triggers:
        return f"a BEFORE trigger on `{table.name}` may skip it"
    if RelKind.FOREIGN_TABLE in family:
        return f"`{table.name}` stores its rows on a foreign server"
    return None
