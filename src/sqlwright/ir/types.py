"""The types of parameters and columns: what a PostgreSQL type is in Python. And the column, which composite types consist of too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sqlwright.ir.naming import ClassName, Identifier
from sqlwright.sql.sources import PlaceInQuery


@dataclass(frozen=True, slots=True)
class Scalar:
    """A PostgreSQL type that has one Python class. `python_module` is "" for a builtin."""

    postgres: str
    python_module: str
    python_name: str


@dataclass(frozen=True, slots=True)
class Json:
    """json or jsonb: the recursive `JsonValue` alias of the generated models."""

    postgres: str


@dataclass(frozen=True, slots=True)
class EnumRef:
    """An enum of the schema, by the name of its generated class."""

    postgres: str
    class_name: ClassName


@dataclass(frozen=True, slots=True)
class UnionOf:
    """A PostgreSQL type whose values are of several Python classes: inet, cidr."""

    postgres: str
    members: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class RangeOf:
    """A range, or with `multiple` a multirange. psycopg loads `registered` ones only where they are registered."""

    postgres: str
    element: ValueType
    multiple: bool
    registered: bool


@dataclass(frozen=True, slots=True)
class CompositeRef:
    """A composite type of the schema, by the name of its generated row class, with its fields."""

    postgres: str
    class_name: ClassName
    fields: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class DomainRef:
    """A domain of the schema as a `NewType`, by its generated name, over the type of its values."""

    postgres: str
    class_name: ClassName
    value: ValueType


@dataclass(frozen=True, slots=True)
class ExactInterval:
    """An interval as the package's own `Interval`, which keeps months, days and microseconds apart."""

    postgres: str


@dataclass(frozen=True, slots=True)
class Hstore:
    """The hstore extension's type: `dict[str, str | None]`."""

    postgres: str


@dataclass(frozen=True, slots=True)
class Vector:
    """A dense vector of the vector extension: `list[float]`."""

    postgres: str


@dataclass(frozen=True, slots=True)
class PythonObject:
    """A name in one of the user's Python modules; `module` is "" for a builtin."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Overridden:
    """A Python type chosen by the user. `load` and `dump` convert from and to `value`, the type it replaces; None: unconverted."""

    python: PythonObject
    value: ValueType
    load: PythonObject | None
    dump: PythonObject | None

    @property
    def postgres(self) -> str:
        """The PostgreSQL type."""
        return self.value.postgres


@dataclass(frozen=True, slots=True)
class TypedJson:
    """json or jsonb that pydantic validates as a Python type, on loading and dumping."""

    postgres: str
    python: PythonObject


@dataclass(frozen=True, slots=True)
class ListOf:
    """A PostgreSQL array. The number of dimensions is not part of PostgreSQL's type; one is assumed.

    psycopg loads `registered` arrays only where their type is registered.
    """

    postgres: str
    element: Type
    registered: bool = False


@dataclass(frozen=True, slots=True)
class RecordOf:
    """An anonymous record: a tuple of its fields. psycopg loads the fields' types in the binary format only."""

    postgres: str
    fields: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Opaque:
    """A PostgreSQL type without a Python type: `object` in signatures, and a diagnostic says so."""

    postgres: str


ValueType: TypeAlias = (
    Scalar
    | Json
    | EnumRef
    | UnionOf
    | RangeOf
    | CompositeRef
    | DomainRef
    | ExactInterval
    | Hstore
    | Vector
    | Overridden
    | TypedJson
    | ListOf
    | RecordOf
    | Opaque
)


@dataclass(frozen=True, slots=True)
class Nullable:
    """A value that may be NULL: `T | None`."""

    value: ValueType


Type: TypeAlias = ValueType | Nullable


@dataclass(frozen=True, slots=True)
class Origin:
    """The table column that a result column comes from unchanged."""

    schema: str
    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Column:
    """A field of a row, or the single value of a query.

    `reason` is the proof of its nullability in one sentence, `place` where in the query that points; a table's own columns have neither.
    `numbered`: an earlier field has the same name, so a number was appended.
    """

    name: Identifier
    sql_name: str
    type: Type
    origin: Origin | None
    doc: str
    reason: str
    place: PlaceInQuery | None
    numbered: bool = False
