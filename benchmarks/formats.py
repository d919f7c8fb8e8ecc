"""What the binary format saves per value of each type: the figures in `sqlwright.types.formats`.

python -m benchmarks.formats
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import typer
from psycopg import sql

from benchmarks.processors import on_one_processor
from sqlwright.postgres import embedded

_ROWS = 1000
_ROUNDS = 200
# An expression over `i` for values of each type.
_VALUES = {
    "bool": "i % 2 = 0",
    "bpchar": "('name ' || i)::char(12)",
    "bytea": "('name ' || i)::bytea",
    "date": "'1990-01-01'::date + i::int",
    "float4": "(i * 1.1)::float4",
    "float8": "(i * 1.1)::float8",
    "int2": "i::int2",
    "int4": "i::int4 * 1000",
    "int8": "i::int8 * 10000000",
    "interval": "i * interval '1 second'",
    "json": "json_build_object('a', i)",
    "jsonb": "jsonb_build_object('a', i)",
    "name": "('name ' || i)::name",
    "numeric": "(i * 1.25)::numeric(12, 2)",
    "oid": "i::oid",
    "text": "'name ' || i",
    "time": "'12:30:01.5'::time",
    "timestamp": "'2026-01-01 12:00:03.25'::timestamp + i * interval '1 second'",
    "timestamptz": "'2026-01-01 12:00:03.25Z'::timestamptz + i * interval '1 second'",
    "uuid": "gen_random_uuid()",
    "varchar": "('name ' || i)::varchar",
}


def main() -> None:
    """Print nanoseconds per value: in text, in binary, and the difference. A row and a call cost the same in both."""
    with tempfile.TemporaryDirectory(prefix="sqlwright-bench-") as name:
        folder = Path(name)
        with embedded.running(folder), psycopg.connect(embedded.url(folder, "postgres"), autocommit=True) as conn:
            columns = ", ".join(f"{value} AS {name}_" for name, value in _VALUES.items())
            conn.execute(f"CREATE TABLE every_type AS SELECT {columns} FROM generate_series(1, {_ROWS}) AS i".encode())
            conn.execute("VACUUM ANALYZE every_type")
            with on_one_processor(embedded.url(folder, "postgres")):
                for each in _VALUES:
                    text, binary = (_nanoseconds(conn, f"{each}_", binary=binary) for binary in (False, True))
                    typer.echo(f"{each:12} text {text:5.0f}   binary {binary:5.0f}   saved {text - binary:5.0f}")


def _nanoseconds(conn: psycopg.Connection, column: str, *, binary: bool) -> float:
    """Return the minimum cost of a second column: the first one includes the cost of the row."""
    one, two = (sql.SQL("SELECT {} FROM every_type").format(sql.SQL(", ").join([sql.Identifier(column)] * number)) for number in (1, 2))

    def read(query: sql.Composed) -> Callable[[], object]:
        return lambda: conn.execute(query, binary=binary, prepare=True).fetchall()

    return (_best(read(two)) - _best(read(one))) / _ROWS * 1e9


def _best(run: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
    return best


if __name__ == "__main__":
    main()
