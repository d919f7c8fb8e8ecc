"""The format that a query asks its result in: binary, unless PostgreSQL and psycopg are faster in text together, and text loses nothing.

psycopg 3.3 reads a binary numeric by arithmetic and its text by `Decimal(text)`, in a third of the time; most other types are faster in
binary. The format is one for all columns of a result, so what each type gains or loses is added up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlwright import ir
from sqlwright.render.pgvalues import reads_binary

# What the binary format saves for one value, in nanoseconds of server and client together; `python -m benchmarks.formats` measures it.
# What is not here is never asked in text for speed: a float8 is written with as many digits as extra_float_digits says, an interval in the
# session's style.
SAVED: Final = {
    "bool": 0,
    "bpchar": 0,
    "bytea": 15,
    "date": -15,
    "int2": 15,
    "int4": 15,
    "int8": 15,
    "json": 0,
    "jsonb": 0,
    "name": 0,
    "numeric": -200,
    "oid": 25,
    "text": 0,
    "time": 25,
    "timestamp": 25,
    "timestamptz": 95,
    "uuid": 45,
    "varchar": 0,
}
# So little is not seen beside what a row costs, and binary depends on no setting.
_NOT_WORTH_IT: Final = 50


def asks_binary(columns: Iterable[ir.Column]) -> bool:
    """Tell whether a query asks for the binary format."""
    given = tuple(columns)
    if not reads_binary(given):
        return False
    saved = [_saved(column.type) for column in given]
    return None in saved or sum(value or 0 for value in saved) >= -_NOT_WORTH_IT


def _saved(found: ir.Type) -> int | None:
    match found:
        case ir.Nullable(value=value) | ir.DomainRef(value=value) | ir.Overridden(value=value):
            return _saved(value)
        case ir.Scalar(postgres=name) | ir.Json(postgres=name) | ir.TypedJson(postgres=name):
            return SAVED.get(name)
        case _:
            return None
