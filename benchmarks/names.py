"""The names of cases and contenders, as in the tables."""

from __future__ import annotations

# Appended to the name of a case, or of a contender of a case that has both colours.
ASYNC = ", async"
UVLOOP = ", async, uvloop"

GENERATED = "generated"
DIRECT = "generated, direct"
TRACED = "generated, traced but not sampled"
TRACED_DIRECT = "generated, direct, traced but not sampled"
BY_HAND = "psycopg by hand"
RIVAL_FORM = "psycopg, text rows and dict parameters"
ASYNCPG = "asyncpg by hand"
PSQLPY = "psqlpy by hand"
AIOSQL = "aiosql"
SQLC_DATACLASS = "sqlc-gen-python, dataclass"
SQLC_PYDANTIC = "sqlc-gen-python, pydantic"
CORE = "SQLAlchemy Core"
ORM = "SQLAlchemy ORM"

PEOPLE = 1000
INSERTS = 1000
TASKS = (1, 8, 64)
STREAMS = (10_000, 1_000_000)

ONE_ROW = "one row by key"
MANY_ROWS = f"{PEOPLE:,} rows"
INSERT = "insert one returning"
UPDATE = "update by key"
MANY_INSERTS = f"{INSERTS:,} inserts"
MANY_LOOKUPS = f"{PEOPLE:,} lookups by key"

# Over TCP, a millisecond away.
FEW = 10
_FAR = "1 ms away"
ONE_FAR = f"{ONE_ROW}, {_FAR}"
ONE_IN_TRANSACTION = f"{ONE_ROW} in a transaction, {_FAR}"
FEW_IN_TRANSACTION = f"{FEW} lookups in a batch in a transaction, {_FAR}"

# With optional filters, of which one is given.
SALES = 1_000_000
FILTER = f"a selective filter on {SALES:,} rows"
GENERIC_PLAN = "`IS NULL OR` by hand, generic plan"
CUSTOM_PLAN = "`IS NULL OR` by hand, custom plans"
BUILDER = "SQLAlchemy Core's builder"


def readers(tasks: int) -> str:
    """Return the case in which so many tasks read one row by key on a pool."""
    return f"one row by key on a pool of 8, {tasks} {'task' if tasks == 1 else 'tasks'}{ASYNC}"


def mixed(tasks: int) -> str:
    """Return the case in which so many tasks read and write on a pool."""
    return f"three reads and a write by key on a pool of 8, {tasks} tasks{ASYNC}"


def stream(rows: int) -> str:
    """Return the case of a stream of so many rows."""
    return f"stream of {rows:,} rows"


BARE = "sqlc, with a plugin that does nothing"
UNCHANGED = "sqlwright generate, nothing changed"
CHANGED = "sqlwright generate, one query changed"
ANEW = "sqlwright generate, nothing on record"
CHECK = "sqlwright check"
CHECK_UNCHANGED = "sqlwright check, nothing changed"
BEYOND = "every module of it, beyond psycopg's own"

SIZES = (10, 100, 1000, 5000)
BLOCKS = 69
MANY_BLOCKS = f"{BLOCKS} blocks over one schema"
PROOFS = "proofs of 1,000 queries"
IMPORT = "import of a package with 1,000 queries"


def size(queries: int) -> str:
    """Return the case of a project of so many queries."""
    return f"{queries:,} queries"
