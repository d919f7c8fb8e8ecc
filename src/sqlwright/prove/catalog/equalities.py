"""Equalities of the catalogue: which operators compare for equality, and where equal values are the same bytes."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import Any

import psycopg

# An equality can be chained (a = b and b = c, so a = c, and one key alone equals a given value) where it compares values of one type, and
# across types where every type of the family is exact in the widest: the built-in operators of integers, of floats, and of text and name;
# not those of date, timestamp and timestamptz, which depend on the session's time zone. One that is not strict may find NULLs equal, of
# which a unique index takes many.
_EQUALITIES = """
SELECT o.amopfamily::int8, o.amopopr::int8
FROM pg_amop o
JOIN pg_am m ON m.oid = o.amopmethod
JOIN pg_opfamily f ON f.oid = o.amopfamily
JOIN pg_operator e ON e.oid = o.amopopr
JOIN pg_proc p ON p.oid = e.oprcode
WHERE m.amname = 'btree' AND o.amopstrategy = 3 AND o.amoppurpose = 's' AND p.proisstrict
  AND (o.amoplefttype = o.amoprighttype
       OR o.amopopr < 16384 AND f.opfnamespace = 'pg_catalog'::regnamespace AND f.opfname IN ('integer_ops', 'float_ops', 'text_ops'))
"""
# Not those of numeric (1.0 = 1.00), floats (0 = -0), character (padding), json, arrays, rows, and types of extensions, such as citext.
_EXACT = """
SELECT f.oid::int8 FROM pg_opfamily f JOIN pg_am m ON m.oid = f.opfmethod
WHERE m.amname = 'btree' AND f.opfnamespace = 'pg_catalog'::regnamespace
  AND f.opfname IN ('integer_ops', 'oid_ops', 'text_ops', 'bool_ops', 'uuid_ops', 'bytea_ops', 'enum_ops')
"""
# Those that PostgreSQL itself declares so, for a deterministic collation. Not character: values of two lengths, as UNION combines them, may
# be equal with different numbers of blanks.
_SAME_IMAGES = """
SELECT DISTINCT f.oid::int8 FROM pg_amproc p JOIN pg_opfamily f ON f.oid = p.amprocfamily JOIN pg_am m ON m.oid = f.opfmethod
WHERE m.amname = 'btree' AND p.amprocnum = 4 AND f.oid < 16384 AND p.amproc IN ('btequalimage'::regproc, 'btvarstrequalimage'::regproc)
  AND f.opfname NOT IN ('bpchar_ops', 'bpchar_pattern_ops')
"""
_EQUALITY_OF_TYPE = """
SELECT c.opcintype::int8, o.amopopr::int8 FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod
JOIN pg_amop o ON (o.amopfamily, o.amoplefttype, o.amoprighttype) = (c.opcfamily, c.opcintype, c.opcintype)
WHERE m.amname = 'btree' AND c.opcdefault AND o.amopstrategy = 3 AND o.amoppurpose = 's'
"""


class Equalities:
    """The operators of a database that are equalities, by the btree operator families in which they are."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    @cached_property
    def _families(self) -> dict[int, frozenset[int]]:
        families: dict[int, set[int]] = defaultdict(set)
        for family, operator in self._connection.execute(_EQUALITIES).fetchall():
            families[operator].add(family)
        return {operator: frozenset(found) for operator, found in families.items()}

    def families(self, operator: int) -> frozenset[int]:
        """Return the btree operator families in which the operator is equality."""
        return self._families.get(operator, frozenset())

    @cached_property
    def exact(self) -> frozenset[int]:
        """The operator families in which equal values of a type are the same bytes, where the collation is deterministic."""
        return frozenset(row[0] for row in self._connection.execute(_EXACT).fetchall())

    @cached_property
    def _same_images(self) -> frozenset[int]:
        return frozenset(row[0] for row in self._connection.execute(_SAME_IMAGES).fetchall())

    @cached_property
    def _of_types(self) -> dict[int, int]:
        return dict(self._connection.execute(_EQUALITY_OF_TYPE).fetchall())

    def has_same_images(self, operator: int) -> bool:
        """Return whether values that an operator finds equal are the same bytes, where the collation is deterministic."""
        return bool(self.families(operator) & self._same_images)

    def of_type(self, type_: int) -> int:
        """Return the operator that is equality for a type by default; 0 if the type has none of its own."""
        return self._of_types.get(type_, 0)

    @cached_property
    def loose_collations(self) -> frozenset[int]:
        """The nondeterministic collations, under which equal strings may differ."""
        return frozenset(
            row[0] for row in self._connection.execute("SELECT oid::int8 FROM pg_collation WHERE NOT collisdeterministic").fetchall()
        )
