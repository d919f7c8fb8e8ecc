"""PostgreSQL's enums, by PostgreSQL's names and values, as far as trees and catalogues of versions 15 to 18 hold them.

The prefix or suffix that all members of a C enum share is dropped: `EXISTS_SUBLINK` is `SubLinkType.EXISTS`.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag, StrEnum

# --- queries --------------------------------------------------------------------------------------------------------------


class CmdType(IntEnum):
    """What a statement, a MERGE action or a rewrite rule does."""

    UNKNOWN = 0
    SELECT = 1
    UPDATE = 2
    INSERT = 3
    DELETE = 4
    MERGE = 5
    UTILITY = 6
    NOTHING = 7


class RTEKind(IntEnum):
    """What a range table entry is; GROUP since PostgreSQL 18."""

    RELATION = 0
    SUBQUERY = 1
    JOIN = 2
    FUNCTION = 3
    TABLEFUNC = 4
    VALUES = 5
    CTE = 6
    NAMEDTUPLESTORE = 7
    RESULT = 8
    GROUP = 9


class JoinType(IntEnum):
    """The joins that the parser makes."""

    INNER = 0
    LEFT = 1
    FULL = 2
    RIGHT = 3


class SetOperation(IntEnum):
    """UNION, INTERSECT, EXCEPT."""

    NONE = 0
    UNION = 1
    INTERSECT = 2
    EXCEPT = 3


class GroupingSetKind(IntEnum):
    """An item of GROUP BY with grouping sets."""

    EMPTY = 0
    SIMPLE = 1
    ROLLUP = 2
    CUBE = 3
    SETS = 4


class CTEMaterialize(IntEnum):
    """AS MATERIALIZED and AS NOT MATERIALIZED."""

    DEFAULT = 0
    ALWAYS = 1
    NEVER = 2


class LimitOption(IntEnum):
    """How a limit counts; COUNT is also the value of queries without one."""

    COUNT = 0
    WITH_TIES = 1


class OnConflictAction(IntEnum):
    """ON CONFLICT."""

    NONE = 0
    NOTHING = 1
    UPDATE = 2


class MergeMatchKind(IntEnum):
    """WHEN of a MERGE action, since PostgreSQL 17."""

    MATCHED = 0
    NOT_MATCHED_BY_SOURCE = 1
    NOT_MATCHED_BY_TARGET = 2


class VarReturningType(IntEnum):
    """Which row a column in RETURNING is of, since PostgreSQL 18."""

    DEFAULT = 0
    OLD = 1
    NEW = 2


class FrameOption(IntFlag):
    """The frame of a window."""

    NONDEFAULT = 0x00001
    RANGE = 0x00002
    ROWS = 0x00004
    GROUPS = 0x00008
    BETWEEN = 0x00010
    START_UNBOUNDED_PRECEDING = 0x00020
    END_UNBOUNDED_PRECEDING = 0x00040
    START_UNBOUNDED_FOLLOWING = 0x00080
    END_UNBOUNDED_FOLLOWING = 0x00100
    START_CURRENT_ROW = 0x00200
    END_CURRENT_ROW = 0x00400
    START_OFFSET_PRECEDING = 0x00800
    END_OFFSET_PRECEDING = 0x01000
    START_OFFSET_FOLLOWING = 0x02000
    END_OFFSET_FOLLOWING = 0x04000
    EXCLUDE_CURRENT_ROW = 0x08000
    EXCLUDE_GROUP = 0x10000
    EXCLUDE_TIES = 0x20000


class AclMode(IntFlag):
    """The privileges that a statement needs on a relation."""

    INSERT = 0x1
    SELECT = 0x2
    UPDATE = 0x4
    DELETE = 0x8


# --- expressions ----------------------------------------------------------------------------------------------------------


class BoolExprType(StrEnum):
    """AND, OR, NOT: the one enum that trees write as words."""

    AND = "and"
    OR = "or"
    NOT = "not"


class NullTestType(IntEnum):
    """IS NULL and IS NOT NULL."""

    IS_NULL = 0
    IS_NOT_NULL = 1


class BoolTestType(IntEnum):
    """IS TRUE and its kind."""

    IS_TRUE = 0
    IS_NOT_TRUE = 1
    IS_FALSE = 2
    IS_NOT_FALSE = 3
    IS_UNKNOWN = 4
    IS_NOT_UNKNOWN = 5


class SubLinkType(IntEnum):
    """A subquery in an expression; ROWCOMPARE is `(x, y) = (SELECT …)`, EXPR a scalar subquery."""

    EXISTS = 0
    ALL = 1
    ANY = 2
    ROWCOMPARE = 3
    EXPR = 4
    MULTIEXPR = 5
    ARRAY = 6
    CTE = 7


class ParamKind(IntEnum):
    """What a PARAM node is: EXTERN is a parameter of the statement, SUBLINK a column of a subquery that is compared with."""

    EXTERN = 0
    EXEC = 1
    SUBLINK = 2
    MULTIEXPR = 3


class CoercionForm(IntEnum):
    """How a function call is written."""

    EXPLICIT_CALL = 0
    EXPLICIT_CAST = 1
    IMPLICIT_CAST = 2
    SQL_SYNTAX = 3


class SQLValueFunctionOp(IntEnum):
    """Functions that are written without parentheses."""

    CURRENT_DATE = 0
    CURRENT_TIME = 1
    CURRENT_TIME_N = 2
    CURRENT_TIMESTAMP = 3
    CURRENT_TIMESTAMP_N = 4
    LOCALTIME = 5
    LOCALTIME_N = 6
    LOCALTIMESTAMP = 7
    LOCALTIMESTAMP_N = 8
    CURRENT_ROLE = 9
    CURRENT_USER = 10
    USER = 11
    SESSION_USER = 12
    CURRENT_CATALOG = 13
    CURRENT_SCHEMA = 14


class XmlExprOp(IntEnum):
    """XML constructors."""

    XMLCONCAT = 0
    XMLELEMENT = 1
    XMLFOREST = 2
    XMLPARSE = 3
    XMLPI = 4
    XMLROOT = 5
    XMLSERIALIZE = 6
    DOCUMENT = 7


class JsonConstructorType(IntEnum):
    """JSON constructors; PARSE, SCALAR and SERIALIZE since PostgreSQL 17."""

    OBJECT = 1
    ARRAY = 2
    OBJECTAGG = 3
    ARRAYAGG = 4
    PARSE = 5
    SCALAR = 6
    SERIALIZE = 7


class TableFuncType(IntEnum):
    """XMLTABLE and, since PostgreSQL 17, JSON_TABLE."""

    XMLTABLE = 0
    JSON_TABLE = 1


class AggKind(StrEnum):
    """`aggkind` of pg_aggregate and of AGGREF nodes."""

    NORMAL = "n"
    ORDERED_SET = "o"
    HYPOTHETICAL = "h"


# --- catalogues -----------------------------------------------------------------------------------------------------------


class RelKind(StrEnum):
    """`relkind` of pg_class, for relations that a statement can name in FROM."""

    RELATION = "r"
    PARTITIONED_TABLE = "p"
    VIEW = "v"
    MATVIEW = "m"
    FOREIGN_TABLE = "f"
    COMPOSITE_TYPE = "c"


class TypType(StrEnum):
    """`typtype` of pg_type."""

    BASE = "b"
    COMPOSITE = "c"
    DOMAIN = "d"
    ENUM = "e"
    MULTIRANGE = "m"
    PSEUDO = "p"
    RANGE = "r"


class Volatility(StrEnum):
    """`provolatile` of pg_proc."""

    IMMUTABLE = "i"
    STABLE = "s"
    VOLATILE = "v"


class TriggerType(IntFlag):
    """The bits of `tgtype` of pg_trigger."""

    ROW = 0x01
    BEFORE = 0x02
    INSERT = 0x04
    DELETE = 0x08
    UPDATE = 0x10
    TRUNCATE = 0x20
    INSTEAD = 0x40


class BuiltinType(IntEnum):
    """OIDs of types that expressions are known to have."""

    BOOL = 16
    INT8 = 20
    INT2 = 21
    INT4 = 23
    TEXT = 25
    RECORD = 2249
    RECORD_ARRAY = 2287
    CSTRING = 2275
    ANYENUM = 3500


class BuiltinFunction(IntEnum):
    """OIDs of functions that conditions are recognised by."""

    BOOL_EQUAL = 60
    INT8_FROM_INT4 = 481
    ARRAY_POSITION = 3277
    """`array_position(anycompatiblearray, anycompatible)`"""
