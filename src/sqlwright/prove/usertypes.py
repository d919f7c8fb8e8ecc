"""The types of a schema and its extensions, read from PostgreSQL's catalogue. Enums, which have labels, are read with the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import args_row

from sqlwright.ir.proofs import TypeKind, UserType
from sqlwright.prove.asking.describe import TypeNames, with_dimensions

# Row types of tables are left out: the tables themselves are recorded. An extension's types come with it
# whatever its schema is.
_TYPES = """
SELECT n.nspname, t.typname, t.oid::int8, t.typtype::text, coalesce(obj_description(t.oid, 'pg_type'), ''), coalesce(x.extname, ''),
       coalesce(nullif(t.typbasetype, 0), r.rngsubtype, m.rngsubtype)::int8,
       coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '{}'),
       coalesce((SELECT array_agg(a.atttypid::int8 ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '{}'),
       coalesce((SELECT array_agg(a.attndims::int4 ORDER BY a.attnum) FROM pg_attribute a
                 WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '{}'),
       greatest(t.typndims, 1)
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
LEFT JOIN pg_range r ON r.rngtypid = t.oid
LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
LEFT JOIN pg_extension x ON x.oid = d.refobjid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_temp'
  AND t.typtype IN ('b', 'c', 'd', 'r', 'm') AND (c.oid IS NULL OR c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
ORDER BY n.nspname, t.typname
"""


@dataclass(frozen=True, slots=True)
class _Type:
    """A row of `_TYPES`. `under` is the type below a domain or inside a range, the last lists are a composite's fields."""

    schema: str
    name: str
    oid: int
    kind: str
    comment: str
    extension: str
    under: int | None
    fields: list[str]
    field_types: list[int]
    field_dimensions: list[int]
    dimensions: int


def read_user_types(connection: psycopg.Connection[Any], types: TypeNames) -> tuple[UserType, ...]:
    """Read domains, composites, ranges, multiranges and base types, sorted by schema and name."""
    rows = connection.cursor(row_factory=args_row(_Type)).execute(_TYPES).fetchall()
    return tuple(
        UserType(
            kind=TypeKind(row.kind),
            schema=row.schema,
            name=row.name,
            type=types.cast_name(row.oid),
            base="" if row.under is None else with_dimensions(types.declared_name(row.under), row.dimensions),
            fields=tuple(
                (field, with_dimensions(types.declared_name(oid), max(dimensions, 1)))
                for field, oid, dimensions in zip(row.fields, row.field_types, row.field_dimensions, strict=True)
            ),
            extension=row.extension,
            comment=row.comment,
        )
        for row in rows
    )
