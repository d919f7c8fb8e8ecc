"""What is reached through a relation that a statement writes: the views behind it, down to the table, and what acts on the rows on the way.

PostgreSQL rewrites a statement on a view into one on the relation under it, level by level, and each level may have rules and INSTEAD OF
triggers of its own. At the end there is a table, whose partitions and children have row triggers too. Every rule that speaks of written
rows asks here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.catalog.objects import Relation
from sqlwright.prove.tree.querytree import DELETE, INSERT, MERGE, RELATION, UPDATE, Query

_EVENTS = {INSERT: "insert", UPDATE: "update", DELETE: "delete"}
_RULE_EVENTS = {"insert": "3", "update": "2", "delete": "4"}
_DO_UPDATE = 2


@dataclass(frozen=True, slots=True)
class Reach:
    """What may come between a statement and the rows that it returns; each is a reason in words, "" for nothing.

    `rewritten`: a rule replaces or accompanies the statement. `replaced`: an INSTEAD OF trigger decides what is written and returned.
    `altered`: rows may be skipped or changed on their way into the table.
    """

    rewritten: str = ""
    replaced: str = ""
    altered: str = ""

    @property
    def decided(self) -> str:
        """Why something else than the statement decides which rows are returned, and what they hold."""
        return self.rewritten or self.replaced


def events_of(query: Query) -> frozenset[str]:
    """Return what a statement may do to rows of its target: "insert", "update", "delete"."""
    commands = [action.number("commandType") for action in query.merge_actions] if query.command == MERGE else [query.command]
    events = {_EVENTS[command] for command in commands if command in _EVENTS}
    conflict = query.on_conflict
    if conflict is not None and conflict.number("action") == _DO_UPDATE:
        events.add("update")
    return frozenset(events)


def reach(facts: SchemaFacts, query: Query) -> Reach:
    """Return what may come between a statement that writes and the rows that it returns."""
    relation, events = facts.relation(query.entry(query.result_relation).relation), sorted(events_of(query))
    while True:
        if any(_RULE_EVENTS[event] in relation.rules for event in events):
            return Reach(rewritten=f"a rule on `{relation.name}` rewrites the statement")
        if any(event in relation.instead_triggers for event in events):
            return Reach(replaced=f"an INSTEAD OF trigger on `{relation.name}` decides what is returned")
        if relation.kind != "v":
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
    return facts.relation(entry.relation) if entry.kind == RELATION else None


def _altered(facts: SchemaFacts, table: Relation, events: Iterable[str]) -> str:
    fired = set(events)
    if "update" in fired and any(facts.relation(oid).kind == "p" for oid in (table.oid, *table.descendants)):
        fired |= {"insert", "delete"}  # a row that an UPDATE moves to another partition is deleted from the one and inserted into the other
    if fired & table.before_triggers:
        return f"a BEFORE trigger on `{table.name}` may skip it"
    if "f" in {facts.relation(oid).kind for oid in (table.oid, *table.descendants)}:
        return f"`{table.name}` stores its rows on a foreign server"
    return ""
