"""Relations, indexes, functions and types of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlwright.prove.tree.enums import CmdType, RelKind, TypType, Volatility
from sqlwright.prove.tree.nodetree import Node, Tree

FIRST_USER_OID = 16384
"""OIDs below are PostgreSQL's own (`FirstNormalObjectId`)."""

# Volatile functions that change neither settings nor tables.
_HARMLESS = frozenset(
    {
        "clock_timestamp",
        "currval",
        "gen_random_uuid",
        "lastval",
        "nextval",
        "pg_notify",
        "pg_sleep",
        "random",
        "random_normal",
        "setval",
        "timeofday",
        "uuidv4",
        "uuidv7",
        *(f"pg_{attempt}advisory_{scope}lock{mode}" for attempt in ("", "try_") for scope in ("", "xact_") for mode in ("", "_shared")),
        "pg_advisory_unlock",
        "pg_advisory_unlock_shared",
        "pg_advisory_unlock_all",
    }
)
# Stable functions that depend on the transaction alone, and on no setting.
_FIXED = frozenset(
    {
        "current_database",
        "now",
        "pg_backend_pid",
        "pg_current_snapshot",
        "pg_current_xact_id",
        "statement_timestamp",
        "transaction_timestamp",
        "txid_current",
        "txid_current_snapshot",
    }
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column of a relation. `not_null`: constraints rule out NULL in all stored rows, also of children; `why` names them.

    `accepts_null`: NULL may be written to it. `dimensions` are those that an array is declared with, at least 1.
    """

    name: str
    type: int
    not_null: bool
    why: str
    dropped: bool
    generated: bool
    accepts_null: bool
    dimensions: int


@dataclass(frozen=True, slots=True)
class UniqueIndex:
    """A unique btree index that is enforced at all times. A key is an attribute number, or an expression over Var 1."""

    name: str
    keys: tuple[int | Node, ...]
    families: tuple[int, ...]
    collations: tuple[int, ...]
    predicate: Tree
    nulls_not_distinct: bool


@dataclass(slots=True)
class Relation:
    """A table or view. `descendants` are inheritance children and partitions, all levels down.

    `without_null_elements` are the columns of arrays for which a constraint refuses NULL elements, in all children.
    """

    oid: int
    schema: str
    name: str
    kind: RelKind
    attributes: dict[int, Attribute] = field(default_factory=dict[int, Attribute])
    descendants: tuple[int, ...] = ()
    rules: frozenset[CmdType] = frozenset()
    before_triggers: frozenset[CmdType] = frozenset()
    instead_triggers: frozenset[CmdType] = frozenset()
    without_null_elements: set[int] = field(default_factory=set[int])

    @property
    def is_table(self) -> bool:
        """Whether it is a table, partitioned or not, whose rows PostgreSQL stores and checks."""
        return self.kind in (RelKind.RELATION, RelKind.PARTITIONED_TABLE)

    @property
    def qualified(self) -> str:
        """The name with its schema."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Function:
    """A function. `signature` is the name with the types of its parameters, for built-in ones only.

    `hides_volatile`: it may be volatile although it is not marked so, because of its default arguments or an aggregate's functions.
    """

    oid: int
    name: str
    signature: str | None
    strict: bool
    returns_set: bool
    volatility: Volatility
    hides_volatile: bool
    returns: int

    @property
    def builtin(self) -> bool:
        """Whether it is PostgreSQL's own."""
        return self.oid < FIRST_USER_OID

    @property
    def volatile(self) -> bool:
        """Whether two calls with the same arguments may return different values."""
        return self.volatility is Volatility.VOLATILE or self.hides_volatile

    @property
    def changes_settings(self) -> bool:
        """Whether a call may change something that stable functions depend on."""
        return self.volatile and not (self.builtin and self.name in _HARMLESS)

    @property
    def depends_on_settings(self) -> bool:
        """Whether its value may change within a statement that changes settings."""
        return self.volatility is not Volatility.IMMUTABLE and not (self.builtin and self.name in _FIXED)


@dataclass(frozen=True, slots=True)
class DataType:
    """A type. `base` and `not_null` are for domains: the type under it, and whether a value that is coerced to it is refused when NULL.

    `element` is the type of its elements, if it can be subscripted; `array` is the type of arrays of it. `is_array`: its values are arrays
    of any length. `builtin_io` and `immutable_io` are about the functions that convert its values from and to text.
    `dimensions` are those that a domain over arrays is declared with.
    """

    oid: int
    name: str
    kind: TypType
    base: int
    not_null: bool
    element: int | None
    builtin_io: bool
    immutable_io: bool
    array: int | None
    is_array: bool
    dimensions: int
