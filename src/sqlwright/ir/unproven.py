"""What sqlc says of the queries: the unproven family, made by `resolve` and answered by `prove`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlwright.annotations import Annotations
from sqlwright.ir.types import Origin
from sqlwright.naming import ClassName, ConstantName, Identifier, ModuleName
from sqlwright.sources import QuerySource


class Command(StrEnum):
    """What a query's function returns, as written after its name (`-- name: GetUser :one`)."""

    ONE = ":one"
    MANY = ":many"
    EXEC = ":exec"
    EXECROWS = ":execrows"
    EXECRESULT = ":execresult"
    COPYFROM = ":copyfrom"
    BATCHEXEC = ":batchexec"
    BATCHONE = ":batchone"
    BATCHMANY = ":batchmany"


@dataclass(frozen=True, slots=True)
class UnprovenParam:
    """A placeholder `$number`. `sqlc_type` helps only where PostgreSQL cannot infer a type; `optional` is `sqlc.narg`.

    `origin` is the table column that sqlc thinks the parameter belongs to; its schema is "" where sqlc gives none.
    """

    number: int
    name: Identifier
    sqlc_type: str
    optional: bool
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class UnprovenColumn:
    """A result column with sqlc's belief about it. `sql_name` is "" where the query gives none."""

    sql_name: str
    sqlc_type: str
    sqlc_not_null: bool


@dataclass(frozen=True, slots=True)
class UnprovenEmbed:
    """`sqlc.embed(alias)`: all columns of a table in its order, as one value named as the alias. `schema` is "" where sqlc gives none."""

    name: Identifier
    schema: str
    table: str


@dataclass(frozen=True, slots=True)
class CopiedColumns:
    """The table and the columns of a `:copyfrom` as the query writes them, and the number of the parameter that goes to each column."""

    table: str
    columns: tuple[str, ...]
    params: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UnprovenQuery:
    """A query as sqlc read it: `sql` has stars expanded and parameters numbered. `doc` is its comment, a line each.

    `starred` is `sql` with the author's stars: what is meant, where sqlc expands one wrongly. `copied` is there for `:copyfrom` alone.
    """

    name: str
    function: Identifier
    constant: ConstantName
    row_class: ClassName
    params_class: ClassName
    command: Command
    sql: str
    starred: str
    doc: tuple[str, ...]
    annotations: Annotations
    params: tuple[UnprovenParam, ...]
    columns: tuple[UnprovenColumn | UnprovenEmbed, ...]
    copied: CopiedColumns | None
    source: QuerySource


@dataclass(frozen=True, slots=True)
class UnprovenModule:
    """The queries of one .sql file, in the file's order."""

    name: ModuleName
    source_file: str
    queries: tuple[UnprovenQuery, ...]


@dataclass(frozen=True, slots=True)
class UnprovenPackage:
    """All query files, sorted by module name. `nullable_elements`: the user says that arrays in tables may hold NULL."""

    modules: tuple[UnprovenModule, ...]
    nullable_elements: bool = False
