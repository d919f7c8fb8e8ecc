"""The tables, their constraints and the types of the schema, read from PostgreSQL's catalog."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg
from psycopg.rows import args_row

from sqlwright.ir.proofs import Catalog, Constraint, Enum, Table, TableColumn
from sqlwright.prove.asking.describe import TypeNames, with_dimensions
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.rules import EXPRESSIONS
from sqlwright.prove.rules.scopes import Prover, table_scope
from sqlwright.prove.shape.dimensions import column_dimensions
from sqlwright.prove.tree.expressions import column_of
from sqlwright.prove.usertypes import read_user_types

_OF_THE_USER = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_temp'"

_TABLES = f"""
SELECT n.nspname, c.relname, coalesce(obj_description(c.oid, 'pg_class'), ''),
       a.attname, a.atttypid::int8, coalesce(col_description(c.oid, a.attnum), ''), c.oid::int8, a.attnum,
       c.reltype::int8
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_OF_THE_USER}
ORDER BY n.nspname, c.relname, a.attnum
"""  # noqa: S608 - the only part put in is the constant above

_ENUMS = f"""
SELECT n.nspname, t.typname, t.oid::int8,
       array_agg(e.enumlabel::text ORDER BY e.enumsortorder),
       coalesce(obj_description(t.oid, 'pg_type'), '')
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_enum e ON e.enumtypid = t.oid
WHERE {_OF_THE_USER}
GROUP BY n.nspname, t.typname, t.oid
ORDER BY n.nspname, t.typname
"""  # noqa: S608 - as above


# Everything whose name an error may report as the violated constraint. That of NOT NULL is not reported, that of a bare unique index is.
_CONSTRAINTS = f"""
SELECT n.nspname, c.relname, k.conname::text, pg_get_constraintdef(k.oid)
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND {_OF_THE_USER}
UNION
SELECT n.nspname, c.relname, i.relname::text, pg_get_indexdef(x.indexrelid)
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE x.indisunique
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
  AND {_OF_THE_USER}
ORDER BY 1, 2, 3
"""  # noqa: S608 - as above


@dataclass(frozen=True, slots=True)
class _Column:
    """A row of `_TABLES`: a column and its table."""

    schema: str
    table: str
    table_comment: str
    name: str
    type: int
    comment: str
    relation: int
    number: int
    row_type: int


def read_catalog(
    connection: psycopg.Connection[Any], types: TypeNames, facts: SchemaFacts
) -> tuple[Catalog, dict[tuple[int, int], tuple[str, str, str]]]:
    """Read the user's tables, constraints, enums and other types; also where each column is found by (table OID, attribute number).

    A place is schema, table and column. Whether a column is NOT NULL is proven as for a query that reads it: the catalog's own flag also
    stands for constraints that do not hold, and says nothing of a view.
    """
    rows = connection.cursor(row_factory=args_row(_Column)).execute(_TABLES).fetchall()
    prover = Prover(facts, EXPRESSIONS)
    constraints: defaultdict[tuple[str, str], list[Constraint]] = defaultdict(list)
    for schema, table, name, definition in connection.execute(_CONSTRAINTS).fetchall():
        constraints[schema, table].append(Constraint(name, definition))
    tables = tuple(
        _table(prover, types, tuple(members), tuple(constraints[schema, name]))
        for (schema, name), members in groupby(rows, key=lambda row: (row.schema, row.table))
    )
    enums = tuple(
        Enum(schema, name, types.proof_name(oid), tuple(labels), comment)
        for schema, name, oid, labels, comment in connection.execute(_ENUMS).fetchall()
    )
    places = {(row.relation, row.number): (row.schema, row.table, row.name) for row in rows}
    return Catalog(tables, enums, read_user_types(connection, types)), places


def _table(prover: Prover, types: TypeNames, columns: tuple[_Column, ...], constraints: tuple[Constraint, ...]) -> Table:
    first = columns[0]
    return Table(
        first.schema,
        first.table,
        types.cast_name(first.row_type),
        first.table_comment,
        tuple(_table_column(prover, types, column) for column in columns),
        constraints,
    )


def _table_column(prover: Prover, types: TypeNames, column: _Column) -> TableColumn:
    dimensions = column_dimensions(prover, prover.facts.relation(column.relation), column.number)
    verdict = prover.verdict(column_of(1, column.number), table_scope(prover, column.relation))
    return TableColumn(
        name=column.name,
        type=with_dimensions(types.proof_name(column.type), dimensions),
        declared=with_dimensions(types.declared_name(column.type), dimensions),
        not_null=not verdict.nullable,
        element_nullable=verdict.element_nullable,
        reason=verdict.reason,
        comment=column.comment,
    )
