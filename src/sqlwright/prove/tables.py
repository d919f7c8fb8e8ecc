"""The tables, their constraints and the types of the schema, read from PostgreSQL's catalog."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import Any

import psycopg

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


def read_catalog(
    connection: psycopg.Connection[Any], types: TypeNames, facts: SchemaFacts
) -> tuple[Catalog, dict[tuple[int, int], tuple[str, str, str]]]:
    """Read the user's tables, constraints, enums and other types; also where each column is found by (table OID, attribute number).

    A place is schema, table and column. Whether a column is NOT NULL is proven as for a query that reads it: the catalog's own flag also
    stands for constraints that do not hold, and says nothing of a view.
    """
    rows = connection.execute(_TABLES).fetchall()
    prover = Prover(facts, EXPRESSIONS)
    constraints: defaultdict[tuple[str, str], list[Constraint]] = defaultdict(list)
    for schema, table, name, definition in connection.execute(_CONSTRAINTS).fetchall():
        constraints[schema, table].append(Constraint(name, definition))
    tables = tuple(
        Table(
            schema,
            table,
            types.cast_name(row_type),
            comment,
            tuple(
                _table_column(prover, types, relation, number, name, type_oid, column_comment)
                for _, _, _, name, type_oid, column_comment, relation, number, _ in members
            ),
            tuple(constraints[schema, table]),
        )
        for (schema, table, comment, row_type), members in groupby(rows, key=lambda r: (r[0], r[1], r[2], r[8]))
    )
    enums = tuple(
        Enum(schema, name, types.proof_name(oid), tuple(labels), comment)
        for schema, name, oid, labels, comment in connection.execute(_ENUMS).fetchall()
    )
    return Catalog(tables, enums, read_user_types(connection, types)), {(r[6], r[7]): (r[0], r[1], r[3]) for r in rows}


def _table_column(prover: Prover, types: TypeNames, relation: int, number: int, name: str, type_oid: int, comment: str) -> TableColumn:
    dimensions = column_dimensions(prover, prover.facts.relation(relation), number)
    verdict = prover.verdict(column_of(1, number), table_scope(prover, relation))
    return TableColumn(
        name=name,
        type=with_dimensions(types.proof_name(type_oid), dimensions),
        declared=with_dimensions(types.declared_name(type_oid), dimensions),
        not_null=not verdict.nullable,
        element_nullable=verdict.element_nullable,
        reason=verdict.reason,
        comment=comment,
    )
