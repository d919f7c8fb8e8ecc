"""The queries as PostgreSQL proved them: the proven family, built by `assemble` and read by `render`, and the files `render` returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from sqlwright.ir.naming import ClassName, ConstantName, Identifier, ModuleName
from sqlwright.ir.types import Column, Type, ValueType
from sqlwright.ir.unproven import Command
from sqlwright.sql.pages import Page, PagePiece
from sqlwright.sql.sources import PlaceInQuery, QuerySource
from sqlwright.sql.variants import Piece


class Cardinality(StrEnum):
    """How many rows a query is proven to return."""

    EXACTLY_ONE = "exactly one"
    AT_MOST_ONE = "at most one"
    MANY = "many"


@dataclass(frozen=True, slots=True)
class Operation:
    """What a statement does, in the words of traces, "" for what has no single name: PostgreSQL's command, the table, the procedure."""

    name: str = ""
    collection: str = ""
    procedure: str = ""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the generated function. `postgres` is its SQL type as casts write it; `reason` says why it may or may not be None."""

    number: int
    name: Identifier
    postgres: str
    type: Type
    reason: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The proven bounds on a query's row count: `reason` says why in one sentence, `place` is where in the query."""

    cardinality: Cardinality
    reason: str
    place: PlaceInQuery


@dataclass(frozen=True, slots=True)
class Embedded:
    """A whole table row as a field of another row: `sqlc.embed`.

    `optional` rows may be absent; then, and only then, the presence column is NULL, which is given by its index in `columns`. `numbered`:
    see `Column`.
    """

    name: Identifier
    row_class: ClassName
    columns: tuple[Column, ...]
    optional: bool
    presence_column: int | None
    numbered: bool = False


Field: TypeAlias = Column | Embedded


@dataclass(frozen=True, slots=True)
class RowClass:
    """A generated row class. `doc` may be empty; `table` is the "schema.table" whose columns it has, else "".

    `composite` is the composite type whose values are of the class, else "".
    """

    name: ClassName
    fields: tuple[Field, ...]
    doc: str
    table: str
    composite: str = ""


@dataclass(frozen=True, slots=True)
class EnumClass:
    """A generated StrEnum: pairs of Python member name and PostgreSQL label, in the enum's order."""

    name: ClassName
    schema: str
    postgres: str
    members: tuple[tuple[ConstantName, str], ...]
    doc: str


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint or a unique index of a table: the name that PostgreSQL reports in errors, its member's name, and its definition."""

    member: ConstantName
    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class ConstraintClass:
    """A generated StrEnum of the constraints of one table; `table` is its "schema.table"."""

    name: ClassName
    table: str
    members: tuple[Constraint, ...]


@dataclass(frozen=True, slots=True)
class NewTypeClass:
    """A generated `NewType` for a domain."""

    name: ClassName
    value: ValueType
    doc: str


class Adapter(StrEnum):
    """How a type is registered with psycopg."""

    ENUM = "enum"
    ARRAY = "array"
    DOMAIN = "domain"
    COMPOSITE = "composite"
    RANGE = "range"
    MULTIRANGE = "multirange"
    HSTORE = "hstore"
    VECTOR = "vector"


@dataclass(frozen=True, slots=True)
class Registration:
    """A type that `register` registers on a connection. `class_name` is for enums and composites, `fields` are a composite's attributes."""

    schema: str
    name: str
    adapter: Adapter
    class_name: str = ""
    fields: tuple[str, ...] = ()


class RowStyle(StrEnum):
    """The kind of row classes."""

    DATACLASS = "dataclass"
    FROZEN = "frozen"
    NAMEDTUPLE = "namedtuple"
    PYDANTIC = "pydantic"


@dataclass(frozen=True, slots=True)
class NoResult:
    """`:exec`: nothing is returned."""


@dataclass(frozen=True, slots=True)
class RowCount:
    """`:execrows`: the number of rows affected."""


@dataclass(frozen=True, slots=True)
class CursorResult:
    """`:execresult`: the cursor after execution.

    `types` are the types psycopg loads its columns as, `Opaque` where that depends on the connection. `intervals`: months would be lost.
    """

    types: tuple[Type, ...] = ()
    intervals: bool = False


@dataclass(frozen=True, slots=True)
class RowRef:
    """Rows of a generated class. `shared` classes live in `models`, the others in the query's own module."""

    row_class: ClassName
    fields: tuple[Field, ...]
    shared: bool


@dataclass(frozen=True, slots=True)
class BareValue:
    """A single column: the value itself, no row class around it."""

    column: Column


Shape: TypeAlias = RowRef | BareValue


@dataclass(frozen=True, slots=True)
class One:
    """`:one`: a row, or None if there is none; `always` if exactly one row is proven or claimed.

    `because` says why there is no second row, for the error raised when there is one; "" where that is not known and the first row is
    returned.
    """

    shape: Shape
    always: bool
    because: str = ""


@dataclass(frozen=True, slots=True)
class Many:
    """`:many`: a list of rows, or with `paged` a page of them."""

    shape: Shape
    paged: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """`:many` with `@stream`: an iterator of rows that are fetched in chunks of `size`."""

    shape: Shape
    size: int


@dataclass(frozen=True, slots=True)
class Copied:
    """`:copyfrom`: the number of rows copied.

    `columns` are the numbers of the parameters in the order of the table's columns in COPY. `types` are psycopg's names of the columns'
    types for the binary format; empty for the text format.
    """

    columns: tuple[int, ...]
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """`:batchexec`, `:batchone`, `:batchmany`: the results of one execution for each item."""

    each: NoResult | One | Many


Result: TypeAlias = NoResult | RowCount | CursorResult | One | Many | Stream | Copied | Batch


def shape_of(result: Result) -> Shape | None:
    """Return the Python shape of a result's row; None for commands without rows."""
    match result:
        case One(shape=shape) | Many(shape=shape) | Stream(shape=shape):
            return shape
        case Batch(each=each):
            return shape_of(each)
        case NoResult() | RowCount() | CursorResult() | Copied():
            return None


def fields_of(result: Result) -> tuple[Field, ...]:
    """Return the fields of a query's rows, in order; none for commands without rows."""
    match shape_of(result):
        case None:
            return ()
        case BareValue(column=column):
            return (column,)
        case RowRef(fields=fields):
            return fields


def columns_in(fields: Iterable[Field]) -> tuple[Column, ...]:
    """Return the columns in fields, including those of embedded rows: a result's columns as PostgreSQL sends them."""
    return tuple(column for field in fields for column in (field.columns if isinstance(field, Embedded) else (field,)))


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a query's rows; `total` says why no two rows are equal in it, "" where that is not proven."""

    name: str
    total: str


@dataclass(frozen=True, slots=True)
class Selecting:
    """The SELECT that is sent for a patch that sets nothing: its text in pieces, and its parameters' numbers in the UPDATE."""

    pieces: tuple[Piece, ...]
    params: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Variants:
    """The variants of a query: its text in pieces, the numbers of the parameters that may be left out, and the orders, default first.

    `unchanged` is for a patch that returns rows also where it sets nothing.

    With `page`, the pieces are those of its pages.
    """

    pieces: tuple[PagePiece, ...]
    optional: tuple[int, ...]
    orders: tuple[Order, ...]
    unchanged: Selecting | None = None
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A proven query. `sql` is the final text that is sent: numbered placeholders, each with an explicit cast; or a COPY statement.

    Where there is a `params_class`, the parameters are passed as objects of it: one, or an iterable of them if `takes_rows`. `reads` and
    `writes` are the tables and views that the query reads and writes, as "schema.table". With `variants`, `sql` is the one that has
    everything, in the default order.
    """

    name: str
    function: Identifier
    constant: ConstantName
    command: Command
    sql: str
    doc: tuple[str, ...]
    params: tuple[Param, ...]
    params_class: ClassName | None
    result: Result
    source: QuerySource
    rows: Rows
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    operation: Operation = Operation()
    variants: Variants | None = None

    @property
    def takes_rows(self) -> bool:
        """Whether the function takes an iterable of parameter objects."""
        return isinstance(self.result, Copied | Batch)


@dataclass(frozen=True, slots=True)
class Module:
    """A generated module of query functions; `row_classes` are those used only by its own queries."""

    name: ModuleName
    source_file: str
    row_classes: tuple[RowClass, ...]
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """Everything that render needs. `models` are row classes shared by queries of several modules, `enums` those in use.

    `registrations` are ordered so that each type comes after those it is composed of.
    """

    modules: tuple[Module, ...]
    models: tuple[RowClass, ...]
    enums: tuple[EnumClass, ...]
    constraints: tuple[ConstraintClass, ...]
    new_types: tuple[NewTypeClass, ...] = ()
    registrations: tuple[Registration, ...] = ()
    row_style: RowStyle = RowStyle.DATACLASS
    str_enums: bool = True


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to write: its path under the output folder, with forward slashes, and its text."""

    path: str
    text: str
