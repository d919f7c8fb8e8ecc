"""The tables and views that a statement reads and writes, those under views included."""

from __future__ import annotations

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.tree.enums import AclMode, CmdType, RelKind, RTEKind
from sqlwright.prove.tree.nodetree import Node, Tree, Unrecognised, walk
from sqlwright.prove.tree.querytree import Query


def tables_read_and_written(facts: SchemaFacts, tree: Node) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tables and views that are read and those that are written, as "schema.table", sorted."""
    reads: set[str] = set()
    writes: set[str] = set()
    _visit(facts, tree, reads, writes, set())
    return tuple(sorted(reads)), tuple(sorted(writes))


def functions_called(tree: Tree) -> set[int]:
    """Return the OIDs of the functions that a statement calls by name."""
    return {node.number("funcid") for node in walk(tree) if node.tag == "FUNCEXPR"}


def _visit(facts: SchemaFacts, tree: Node, reads: set[str], writes: set[str], seen: set[int]) -> None:
    for node in walk(tree):
        if node.tag != "QUERY":
            continue
        query = Query(node)
        permissions = node.nodes("rteperminfos") if "rteperminfos" in node.fields else []
        for number, entry in enumerate(query.range_table, start=1):
            if entry.kind is not RTEKind.RELATION or entry.node.text("relkind") == RelKind.COMPOSITE_TYPE:
                continue
            relation = facts.relation(entry.relation)
            target = number == query.result_relation and query.command is not CmdType.SELECT
            if target:
                writes.add(relation.qualified)
            if not target or _is_read(entry.node, permissions):
                reads.add(relation.qualified)
            if relation.kind is RelKind.VIEW and relation.oid not in seen:
                seen.add(relation.oid)
                under: set[str] = set()
                _visit(facts, facts.view_query(relation.oid), under, set(), seen)
                reads |= under
                if target:
                    writes |= under


def _is_read(entry: Node, permissions: list[Node]) -> bool:
    """Return whether the statement needs the SELECT privilege for its target too."""
    if "perminfoindex" in entry.fields:
        index = entry.number("perminfoindex")
        if not 1 <= index <= len(permissions):
            raise Unrecognised("a range table entry without its permissions")
        entry = permissions[index - 1]
    return bool(entry.number("requiredPerms") & AclMode.SELECT)
