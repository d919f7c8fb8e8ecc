"""Speed, as ratios in one run: generated functions against psycopg by hand, and generation against bare sqlc.

Every candidate of a case takes its turn in every round, so that a slow moment of the machine falls on all of them. The ratio is that of the
medians; the spread is the middle half of the rounds.

    python benchmarks/run.py [--rounds 30] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row

from sqlwright.prove import embedded

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
PEOPLE = 1000
BY_KEY = "SELECT id, name, email, phone, born, seen, balance, active FROM people WHERE id = %s"
ALL = "SELECT id, name, email, phone, born, seen, balance, active FROM people ORDER BY id LIMIT %s"
TOUCH = "UPDATE people SET seen = now() WHERE id = %s"
FILL = """
INSERT INTO people
SELECT i, 'name ' || i, 'person' || i || '@example.org',
       CASE WHEN i % 2 = 0 THEN '+1 202 555 0100' END, '1990-01-01'::date + i, now(), i * 1.25, true
FROM generate_series(1, 1000) i
"""
Candidate = Callable[[], object]


@dataclass(frozen=True)
class Result:
    """A candidate of a case: median and quartiles in microseconds, and the ratio to the case's first candidate."""

    case: str
    candidate: str
    median: float
    low: float
    high: float
    ratio: float


def measure(case: str, candidates: dict[str, Candidate], *, rounds: int, calls: int) -> list[Result]:
    """Let the candidates take turns; a first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, run in candidates.items():
            started = time.perf_counter()
            for _ in range(calls):
                run()
            if number:
                times[name].append((time.perf_counter() - started) / calls * 1e6)
    return summarise(case, times)


def summarise(case: str, times: dict[str, list[float]]) -> list[Result]:
    """Median, quartiles and ratio of each candidate, in microseconds; the first candidate is the measure."""
    first = statistics.median(next(iter(times.values())))
    results: list[Result] = []
    for name, measured in times.items():
        low, median, high = statistics.quantiles(measured, n=4)
        results.append(Result(case, name, median, low, high, median / first))
    return results


def runtime(url: str, db: Any, rounds: int) -> list[Result]:
    """Sync functions: by key, many rows, an update."""
    queries, person = db("queries"), db("models").Person
    with psycopg.connect(url, autocommit=True) as conn:

        def by_hand(sql: str, *params: object) -> list[Any]:
            return [person(*row) for row in conn.execute(sql, params, binary=True).fetchall()]

        def by_class_row(sql: str, *params: object) -> list[Any]:
            return conn.cursor(row_factory=class_row(person)).execute(sql, params).fetchall()

        found = measure(
            "one row by key",
            {
                "psycopg by hand, binary": lambda: by_hand(BY_KEY, 5),
                "psycopg by hand, class_row": lambda: by_class_row(BY_KEY, 5),
                "generated": lambda: queries.get_person(conn, id=5),
            },
            rounds=rounds,
            calls=200,
        )
        found += measure(
            "1,000 rows",
            {
                "psycopg by hand, binary": lambda: by_hand(ALL, PEOPLE),
                "psycopg by hand, class_row": lambda: by_class_row(ALL, PEOPLE),
                "generated": lambda: queries.list_people(conn, rows=PEOPLE),
            },
            rounds=rounds,
            calls=3,
        )
        found += measure(
            "update by key",
            {
                "psycopg by hand": lambda: conn.execute(TOUCH, (5,)).rowcount,
                "generated": lambda: queries.touch_person(conn, id=5),
            },
            rounds=rounds,
            calls=50,
        )
    return found


async def runtime_async(url: str, db: Any, rounds: int) -> list[Result]:
    """Async functions, each call awaited on its own."""
    queries, person = db("aio.queries"), db("models").Person
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:

        async def by_hand() -> list[Any]:
            cur = await conn.execute(ALL, (PEOPLE,), binary=True)
            return [person(*row) for row in await cur.fetchall()]

        candidates: dict[str, Callable[[], Awaitable[object]]] = {
            "psycopg by hand, binary": by_hand,
            "generated": lambda: queries.list_people(conn, rows=PEOPLE),
        }
        times: dict[str, list[float]] = {name: [] for name in candidates}
        for number in range(rounds + 1):
            for name, run in candidates.items():
                started = time.perf_counter()
                await run()
                if number:
                    times[name].append((time.perf_counter() - started) * 1e6)
    return summarise("1,000 rows, async", times)


def generation(folder: Path, url: str, counts: list[int], rounds: int) -> list[Result]:
    """Whole programs: `sqlwright generate` with nothing on record, with nothing changed, and sqlc with a plugin that does nothing."""
    found: list[Result] = []
    for count in counts:
        project = folder / f"generate_{count}"
        (project / "queries").mkdir(parents=True)
        shutil.copy(HERE / "project" / "schema.sql", project)
        configuration = (HERE / "project" / "sqlc.yaml").read_text(encoding="utf-8").replace("queries.sql", "queries")
        (project / "sqlc.yaml").write_text(configuration, encoding="utf-8")
        nothing = project / "nothing"
        nothing.write_text(f"#!{sys.executable}\nimport sys\nsys.stdin.buffer.read()\nprint('{{}}')\n", encoding="utf-8")
        nothing.chmod(0o755)
        (project / "bare.yaml").write_text(configuration.replace("cmd: sqlwright-plugin", "cmd: ./nothing"), encoding="utf-8")
        for number in range(0, count, 50):
            body = "\n".join(
                f"-- name: Query{n} :many\nSELECT id, name, born FROM people WHERE id > $1 AND balance > {n};"
                for n in range(number, min(count, number + 50))
            )
            (project / "queries" / f"q{number}.sql").write_text(body, encoding="utf-8")
        env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "SQLWRIGHT_DATABASE_URL": url}

        def run(*command: str, project: Path = project, env: dict[str, str] = env) -> None:
            subprocess.run(command, cwd=project, env=env, check=True, capture_output=True)

        def cold(project: Path = project, run: Callable[..., None] = run) -> None:
            shutil.rmtree(project / "bench_db", ignore_errors=True)
            run("sqlwright", "generate")

        candidates: dict[str, Candidate] = {
            "sqlc, a plugin that does nothing": lambda run=run: run("sqlc", "generate", "-f", "bare.yaml"),
            "sqlwright generate, nothing on record": cold,
            "sqlwright generate, nothing changed": lambda run=run: run("sqlwright", "generate"),
        }
        found += measure(f"{count} queries", candidates, rounds=max(3, rounds // 10), calls=1)
    return found


def main() -> None:
    """Build the project, run the cases, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="counted rounds of each case (default: 30)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sqlwright-bench-") as name:
        folder = Path(name)
        project = folder / "project"
        shutil.copytree(HERE / "project", project)
        with embedded.running(folder):
            url = embedded.url(folder, "postgres")
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute((project / "schema.sql").read_bytes())
                conn.execute(FILL)
                conn.execute("ANALYZE people")
            env = {**os.environ, "SQLWRIGHT_DATABASE_URL": url}
            subprocess.run([BIN / "sqlwright", "generate"], cwd=project, env=env, check=True, capture_output=True)
            sys.path.insert(0, str(project))

            def db(module: str) -> Any:
                return importlib.import_module(f"bench_db.{module}")

            found = runtime(url, db, options.rounds)
            found += asyncio.run(runtime_async(url, db, options.rounds))
            found += generation(folder, url, [10, 100, 1000], options.rounds)
    if options.json:
        print(json.dumps([asdict(result) for result in found], indent=2))
    else:
        print_table(found)


def print_table(results: list[Result]) -> None:
    """Print the results, a case at a time."""
    case = ""
    for result in results:
        if result.case != case:
            case = result.case
            print(f"\n{case}")
        times = f"{result.median:12,.0f} µs  ({result.low:,.0f} to {result.high:,.0f})"
        print(f"  {result.candidate:40} {times:44} {result.ratio:6.2f} x")


if __name__ == "__main__":
    main()
