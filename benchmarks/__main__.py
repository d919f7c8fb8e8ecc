"""`python -m benchmarks`: measure, and show the measurements."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.console import Console

from benchmarks import generation, runtime
from benchmarks.chart import chart
from benchmarks.place import prepared
from benchmarks.record import record as record_in_docs
from benchmarks.report import print_results
from benchmarks.results import Group, Measurement, Results
from benchmarks.targets import to_json

ROOT = Path(__file__).parent.parent
# The output of a run; not committed.
LAST = Path(__file__).parent / "last.json"
LAST_CHART = LAST.with_suffix(".svg")
# Each has measurements(place, rounds, wanted).
HALVES = {"run time": runtime, "generation": generation}
# Of what is written to a file.
_WIDTH = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def measure(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each run-time case; generation has fewer.")] = 40,
    group: Annotated[Group | None, typer.Option(help="one half only")] = None,
    case: Annotated[list[str] | None, typer.Option(help="Only the cases whose name contains this; may be repeated.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document with every round and the targets instead of tables.")
    ] = False,
) -> None:
    """Measure every case, and print the results."""

    def wanted(name: str) -> bool:
        return not case or any(part in name for part in case)

    progress = Console(stderr=True)
    found: list[Measurement] = []
    with prepared() as place:
        for name, half in HALVES.items():
            if group in {None, name}:
                for one in half.measurements(place, rounds, wanted):
                    if not found or one.case != found[-1].case:
                        progress.print(one.case, style="dim", highlight=False)
                    found.append(one)
        results = Results(found, _setting(place.url))
    LAST.write_text(to_json(results), encoding="utf-8")
    LAST_CHART.write_text(chart(results), encoding="utf-8")
    if json:
        typer.echo(to_json(results), nl=False)
    else:
        console = Console()
        print_results(console if console.is_terminal else Console(width=_WIDTH), results)


@app.command()
def record(
    measured: Annotated[Path, typer.Argument(help="The output file of `measure`, or its --json.", exists=True, dir_okay=False)] = LAST,
) -> None:
    """Write the chart and the tables of a run into README.md and docs/."""
    record_in_docs(Results.from_json(measured.read_text(encoding="utf-8")), ROOT)


def _setting(url: str) -> dict[str, str]:
    with psycopg.connect(url) as conn:
        server = conn.execute("SHOW server_version").fetchone()
    return {
        "Python": platform.python_version(),
        "PostgreSQL": str(server[0]) if server else "",
        **{name: version(name) for name in ("psycopg", "asyncpg", "psqlpy", "aiosql", "SQLAlchemy", "pydantic")},
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
    }


if __name__ == "__main__":
    app()
