"""The queries as sqlc sees them: the unproven family, built by `resolve` and proven by `prove`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlwright.ir.naming import ClassName, ConstantName, Identifier, ModuleName
from sqlwright.ir.types import Origin
from sqlwright.sql.annotations import Annotations
from sqlwright.sql.derived import Question
from sqlwright.sql.sources import QuerySource


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

    `sliced` is `sqlc.slice`. `origin` is the table column that sqlc associates with the parameter; its schema is "" where sqlc names
    none.
    """

    number: int
    name: Identifier
    sqlc_type: str
    optional: bool
    origin: Origin | None = None
    sliced: bool = False


@dataclass(frozen=True, slots=True)
class UnprovenColumn:
    """A result column as sqlc infers it. `sql_name` is "" where the query names none."""

    sql_name: str
    sqlc_type: str
    sqlc_not_null: bool


@dataclass(frozen=True, slots=True)
class UnprovenEmbed:
    """`sqlc.embed(alias)`: a row of a table as one value named as the alias. It is `alias.*` in the text, after `star` other `*`."""

    name: Identifier
    star: int


@dataclass(frozen=True, slots=True)
class CopiedColumns:
    """The table and the columns of a `:copyfrom` as the query writes them, and the number of the parameter for each column.

    `casts` are the types that the parameters are cast to, "" for none.
    """

    table: str
    columns: tuple[str, ...]
    params: tuple[int, ...]
    casts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variation:
    """What may vary in a query: the numbers of the parameters that may be left out, and orders by name, "" for the statement's own.

    `patch`: assignments leave with a parameter. `patched` are the numbers of those parameters; none means all. `or_select`: where
    nothing is set, the rows are returned as they are. `page`: rows are returned in pages.
    """

    optional: frozenset[int] = frozenset()
    orders: tuple[tuple[str, str], ...] = ()
    patch: bool = False
    patched: frozenset[int] = frozenset()
    or_select: bool = False
    page: bool = False


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a query was made of by `@count` or `@exists`: another query's name, text and types of parameters as sqlc has them.

    `params` are the numbers that the parameters have in that one, in order.
    """

    question: Question
    name: str
    sql: str
    types: tuple[tuple[int, str], ...]
    params: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UnprovenQuery:
    """A query as written, its parameters numbered: `sql` keeps the author's stars. `doc` is its comment, by line.

    `columns` is what sqlc infers about the columns that are not embedded rows. `copied` is set for `:copyfrom` only, and `variation`
    where the query has variants. `derivation` is set for a query that another one's annotation asks for.
    """

    name: str
    function: Identifier
    constant: ConstantName
    row_class: ClassName
    params_class: ClassName
    command: Command
    sql: str
    doc: tuple[str, ...]
    annotations: Annotations
    params: tuple[UnprovenParam, ...]
    columns: tuple[UnprovenColumn, ...]
    embeds: tuple[UnprovenEmbed, ...]
    copied: CopiedColumns | None
    source: QuerySource
    variation: Variation | None = None
    derivation: Derivation | None = None


@dataclass(frozen=True, slots=True)
class UnprovenModule:
    """The queries of the .sql files that share a name, in the files' order; `source_file` names all of those files."""

    name: ModuleName
    source_file: str
    queries: tuple[UnprovenQuery, ...]


@dataclass(frozen=True, slots=True)
class UnprovenPackage:
    """All query files, sorted by module name. `nullable_elements`: the user says that arrays in tables may contain NULL."""

    modules: tuple[UnprovenModule, ...]
    nullable_elements: bool = False
