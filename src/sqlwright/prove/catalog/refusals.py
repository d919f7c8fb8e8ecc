"""Which domains and columns refuse NULL, whatever their constraints look like: PostgreSQL evaluates the constraints on NULL.

This is for parameters: one that is refused here is not annotated with None. That a value which is there is not NULL is proven from the
constraints themselves, since what a function in them returns may change.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

# A domain over arrays may also refuse an array for its length.
_LENGTHS = (1, 2, 3)
_COLUMN = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), c.relname, pg_get_expr(k.conbin, k.conrelid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
WHERE k.contype = 'c' AND k.conrelid = %s::int8::oid AND k.conkey = ARRAY[%s::int2]
      AND (to_jsonb(k) ->> 'conenforced') IS DISTINCT FROM 'false'
UNION ALL
SELECT a.attname, format_type(a.atttypid, a.atttypmod), c.relname, format('(%%s) IS NOT NULL', pg_get_expr(d.adbin, d.adrelid))
FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_attribute g ON g.attrelid = c.oid AND g.attnum = d.adnum
WHERE d.adrelid = %s::int8::oid AND a.attnum = %s::int2 AND g.attgenerated <> '' AND g.attnotnull
      AND ARRAY[a.attnum] = ARRAY(
          SELECT DISTINCT refobjsubid::int2 FROM pg_depend
          WHERE classid = 'pg_attrdef'::regclass AND objid = d.oid AND refclassid = 'pg_class'::regclass AND refobjid = c.oid
                AND refobjsubid NOT IN (0, d.adnum))
"""


class Refusals:
    """What refuses NULL, evaluated once for each domain and column."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._types: dict[tuple[int, int], bool] = {}
        self._columns: dict[tuple[int, int], bool] = {}

    def by_domain(self, oid: int) -> bool:
        """Return whether NULL cannot be cast to a domain."""
        return self._by_type(oid, 0)

    def by_elements(self, oid: int) -> bool:
        """Return whether no array with a NULL can be cast to a type of arrays or a domain over one."""
        return all(self._by_type(oid, length) for length in _LENGTHS)

    def by_column(self, relation: int, number: int) -> bool:
        """Return whether a CHECK constraint of a column alone refuses NULL in it, or a NOT NULL column that is generated from it alone."""
        if (relation, number) not in self._columns:
            self._columns[relation, number] = any(
                self._refuses(
                    sql.SQL("SELECT ({}) IS NOT FALSE FROM (SELECT NULL::{} AS {}) AS {}").format(
                        sql.SQL(expression), sql.SQL(type_name), sql.Identifier(column), sql.Identifier(table)
                    )
                )
                for column, type_name, table, expression in self._connection.execute(_COLUMN, (relation, number) * 2).fetchall()
            )
        return self._columns[relation, number]

    def _by_type(self, oid: int, length: int) -> bool:
        if (oid, length) not in self._types:
            row = self._connection.execute("SELECT format_type(%s::int8::oid, NULL)", (oid,)).fetchone()
            value = sql.Literal("{" + ",".join(["NULL"] * length) + "}") if length else sql.NULL
            self._types[oid, length] = self._refuses(sql.SQL("SELECT {}::{}").format(value, sql.SQL(row[0] if row else "text")))
        return self._types[oid, length]

    def _refuses(self, statement: sql.Composed) -> bool:
        """Return whether a statement fails, or returns false."""
        try:
            with self._connection.transaction():
                row = self._connection.execute(statement).fetchone()
        except psycopg.Error:
            # Also where the constraint itself raises an error for NULL: so does the call.
            if self._connection.closed:
                raise
            return True
        return row == (False,)
