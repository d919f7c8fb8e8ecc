"""The unique indexes of a database that are enforced at all times (valid and not deferrable)."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import args_row

from sqlwright.prove.catalog.objects import UniqueIndex
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Unrecognised, parse

_INDEXES = """
SELECT i.indrelid::int8, c.relname, i.indkey::text, i.indexprs::text, i.indpred::text, i.indcollation::text, i.indnkeyatts,
       i.indnullsnotdistinct,
       (SELECT string_agg(oc.opcfamily::text, ' ' ORDER BY k.n) FROM unnest(i.indclass::oid[]) WITH ORDINALITY k(class, n)
        JOIN pg_opclass oc ON oc.oid = k.class)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
WHERE i.indisunique AND i.indisvalid AND i.indisready AND i.indimmediate AND m.amname = 'btree' AND i.indrelid >= 16384
ORDER BY NOT i.indisprimary, c.relname
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the query above; lists are texts, separated by spaces."""

    relation: int
    name: str
    keys: str
    expressions: str | None
    predicate: str | None
    collations: str
    count: int
    nulls_not_distinct: bool
    families: str


def read_unique_indexes(connection: psycopg.Connection[Any]) -> dict[int, list[UniqueIndex]]:
    """Read the unique indexes of each table, the primary key first."""
    found: dict[int, list[UniqueIndex]] = defaultdict(list)
    for row in connection.cursor(row_factory=args_row(_Row)).execute(_INDEXES).fetchall():
        with suppress(*UNREADABLE):
            found[row.relation].append(_unique_index(row))
    return found


def _unique_index(row: _Row) -> UniqueIndex:
    trees = parse(row.expressions) if row.expressions else []
    if not isinstance(trees, list):
        raise Unrecognised("index expressions are not a list")
    pending = iter(trees)
    parts: list[int | Node] = []
    for key in row.keys.split()[: row.count]:
        if int(key):
            parts.append(int(key))
            continue
        expression = next(pending, None)
        if not isinstance(expression, Node):
            raise Unrecognised("an index expression is missing")
        parts.append(expression)
    return UniqueIndex(
        row.name,
        tuple(parts),
        tuple(int(family) for family in row.families.split()[: row.count]),
        tuple(int(collation) for collation in row.collations.split()[: row.count]),
        parse(row.predicate) if row.predicate else None,
        row.nulls_not_distinct,
    )
