"""PostgreSQL's answers, as values that `proofs.json` records: one `QueryProof` per query, and the schema's tables and enums.

Types are written as text: pg_type's name for a built-in type; for a type of the schema its name as a cast would write it, qualified if it
is not on the search path; `[]` after either for each dimension of an array.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from sqlwright.ir import Cardinality, Operation, Order, Origin
from sqlwright.sql.pages import Page
from sqlwright.sql.variants import Cut

# Called with the number of queries proven so far and the total.
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ProvenParam:
    """A parameter: `cast` is the type its placeholder is cast to, `type` the same with domains replaced by their base type.

    `refused_by` is the column that it is written to, or the domain that it is cast to, and that refuses NULL, where sqlc.narg allows None.
    """

    cast: str
    type: str
    nullable: bool
    element_nullable: bool
    reason: str
    refused_by: str | None = None


@dataclass(frozen=True, slots=True)
class RecordField:
    """A field of an anonymous record; a domain is not replaced by its base type. `fields` are its own fields if it is itself a record."""

    type: str
    nullable: bool
    element_nullable: bool
    fields: tuple[RecordField, ...] | None


@dataclass(frozen=True, slots=True)
class ProvenColumn:
    """A result column.

    `offset` is where in the final SQL `reason` points, -1 if nowhere; `always_null`: it is NULL in every row; `overruled` is what sqlc
    had inferred, where it was wrong. `fields` are those of an anonymous record, or of the records in an array, where known.
    """

    name: str
    type: str
    nullable: bool
    element_nullable: bool
    always_null: bool
    reason: str
    offset: int
    origin: Origin | None
    overruled: str
    fields: tuple[RecordField, ...] | None


@dataclass(frozen=True, slots=True)
class ProvenEmbed:
    """An embedded row: the table or view that it is of, and which result columns are its own: the first one, and their names in the table.

    `absent`: there need not be a row, and then the column at index `witness` of `columns`, and only then, is NULL; -1 if there is no such.
    """

    first: int
    schema: str
    table: str
    columns: tuple[str, ...]
    absent: bool
    witness: int


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The SELECT that stands for a patch that sets nothing: its text, where its variants differ, its parameters' numbers in the UPDATE."""

    sql: str
    cut: Cut
    params: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ProvenVariants:
    """Where the variants of a statement differ, and its orders, the default first.

    `unchanged` is for a patch that may set nothing, `page` for a query with pages.
    """

    cut: Cut
    orders: tuple[Order, ...]
    unchanged: Unchanged | None = None
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class QueryProof:
    """Everything that is proven about one query.

    `key` is the hash of everything the proof depends on; `sql` is the final text: stars expanded, every placeholder cast. `stand_ins`
    are the extensions that it calls and the embedded server only declares. `variants` is where the variants of `sql` differ, for each of
    which the proof holds; None for a query without variants.
    """

    key: str
    sql: str
    params: tuple[ProvenParam, ...]
    columns: tuple[ProvenColumn, ...]
    cardinality: Cardinality
    cardinality_reason: str
    cardinality_offset: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    operation: Operation
    stand_ins: tuple[str, ...]
    embeds: tuple[ProvenEmbed, ...] = ()
    variants: ProvenVariants | None = None


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table or view. `type` is as in a result; `declared` is the domain, where it is declared as one.

    `not_null` and `element_nullable` are as `SELECT *` proves them, `reason` says why.
    """

    name: str
    type: str
    declared: str
    not_null: bool
    element_nullable: bool
    reason: str
    comment: str


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint, or a unique index that no constraint owns; `definition` is PostgreSQL's text of it."""

    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view of the schema with its columns in order, and its constraints by name. `type` is its row type as casts write it."""

    schema: str
    name: str
    type: str
    comment: str
    columns: tuple[TableColumn, ...]
    constraints: tuple[Constraint, ...]


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum of the schema; `type` is its name as casts and proofs write it."""

    schema: str
    name: str
    type: str
    labels: tuple[str, ...]
    comment: str


class TypeKind(StrEnum):
    """The kind of a user-defined type: `typtype` in pg_type."""

    BASE = "b"
    COMPOSITE = "c"
    DOMAIN = "d"
    RANGE = "r"
    MULTIRANGE = "m"


@dataclass(frozen=True, slots=True)
class UserType:
    """A type that is neither built in nor an enum; `type` is its name as casts and proofs write it.

    `base` is the type under a domain or inside a range, `fields` are a composite's pairs of name and type, `extension` is the extension
    that defines the type, or "".
    """

    kind: TypeKind
    schema: str
    name: str
    type: str
    base: str
    fields: tuple[tuple[str, str], ...]
    extension: str
    comment: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """The part of PostgreSQL's catalog that code is generated from, sorted by schema and name."""

    tables: tuple[Table, ...]
    enums: tuple[Enum, ...]
    types: tuple[UserType, ...]


@dataclass(frozen=True, slots=True)
class Proofs:
    """The proofs of a package: queries by (file, name)."""

    postgres_major: int
    schema_digest: str
    catalog: Catalog
    queries: dict[tuple[str, str], QueryProof]
