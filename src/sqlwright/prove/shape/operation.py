"""What a statement does, and to which table, in the words of traces: read from its tree, never from its text."""

from __future__ import annotations

from sqlwright.ir import Operation
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.tree.enums import CmdType, RelKind, RTEKind
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, walk
from sqlwright.prove.tree.querytree import Query

# PostgreSQL's command tags of the statements that return no rows to prove, by the node of their tree.
_UTILITIES = {
    "CALLSTMT": "CALL",
    "CREATETABLEASSTMT": "CREATE TABLE AS",
    "DISCARDSTMT": "DISCARD",
    "DOSTMT": "DO",
    "EXPLAINSTMT": "EXPLAIN",
    "LISTENSTMT": "LISTEN",
    "LOCKSTMT": "LOCK TABLE",
    "NOTIFYSTMT": "NOTIFY",
    "REFRESHMATVIEWSTMT": "REFRESH MATERIALIZED VIEW",
    "REINDEXSTMT": "REINDEX",
    "TRUNCATESTMT": "TRUNCATE TABLE",
    "UNLISTENSTMT": "UNLISTEN",
    "VARIABLESETSTMT": "SET",
    "VARIABLESHOWSTMT": "SHOW",
}


def operation_of(facts: SchemaFacts, tree: Node) -> Operation:
    """Return what a statement does.

    A statement that changes rows, be it in a WITH, is called by that change, and has the name of the table that it changes. One that only
    reads has the name of the table or view that it reads. Where there are several of them, or the tree cannot be read, there is no name.
    """
    try:
        return _operation(facts, tree)
    except UNREADABLE:
        return Operation()


def _operation(facts: SchemaFacts, tree: Node) -> Operation:
    if tree.enum("commandType", CmdType) is CmdType.UTILITY:
        return _utility(tree.node("utilityStmt"))
    queries = [Query(node) for node in walk(tree) if node.tag == "QUERY"]
    changes = [query for query in queries if query.command is not CmdType.SELECT]
    relations = (
        {query.target_relation for query in changes}
        if changes
        else {
            entry.relation
            for query in queries
            for entry in query.range_table
            if entry.kind is RTEKind.RELATION and entry.node.text("relkind") != RelKind.COMPOSITE_TYPE
        }
    )
    commands = {query.command.name for query in changes} or {CmdType.SELECT.name}
    return Operation(
        name=commands.pop() if len(commands) == 1 else "",
        collection=facts.relation(relations.pop()).qualified.removeprefix("public.") if len(relations) == 1 else "",
    )


def _utility(statement: Node) -> Operation:
    relations = [node for node in walk(statement) if node.tag == "RANGEVAR"]
    collection = ""
    if len(relations) == 1:
        schema = f"{relations[0].text('schemaname')}." if relations[0].has("schemaname") else ""
        collection = f"{schema}{relations[0].text('relname')}"
    procedure = ".".join(statement.node("funccall").names("funcname")) if statement.tag == "CALLSTMT" else ""
    return Operation(_UTILITIES.get(statement.tag, ""), collection, procedure)
