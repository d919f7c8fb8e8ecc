"""The setting of a run: its own folder and server, and the package that sqlwright generates for it."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.names import PEOPLE
from sqlwright.postgres import embedded

PROJECT = Path(__file__).parent / "project"
_BIN = Path(sys.executable).parent
_FILL = f"""
INSERT INTO people
SELECT i, 'name ' || i, 'person' || i || '@example.org',
       CASE WHEN i % 2 = 0 THEN '+1 202 555 0100' END, '1990-01-01'::date + i,
       '2026-01-01 12:00Z'::timestamptz + i * interval '1 minute', i * 1.25, i % 3 = 0
FROM generate_series(1, {PEOPLE}) AS i
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for files, and the URL of a database with the project's tables and rows."""

    folder: Path
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment for programs: ours come first on PATH, and queries are proven on this server."""
        return {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ.get('PATH', '')}", "SQLWRIGHT_DATABASE_URL": self.url}

    def load(self, module: str, package: str = "bench_db") -> Any:
        """Import a module of a generated package."""
        return importlib.import_module(f"{package}.{module}")


@contextmanager
def prepared() -> Generator[Place]:
    """Start the embedded server in a temporary folder, fill it, and generate the package; everything is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="sqlwright-bench-") as name:
        folder = Path(name)
        place = Place(folder, embedded.url(folder, "postgres"))
        with embedded.running(folder):
            _configure(place.url)
        with embedded.running(folder):
            fill(place.url)
            generate(place)
            sys.path.insert(0, str(folder / "project"))
            try:
                yield place
            finally:
                sys.path.remove(str(folder / "project"))


def _configure(url: str) -> None:
    """Exclude the disk and background work from the measurements, and let every contender have its pool."""
    with psycopg.connect(url, autocommit=True) as conn:
        for setting in ("fsync = off", "autovacuum = off", "max_connections = 400"):
            conn.execute(f"ALTER SYSTEM SET {setting}".encode())


def fill(url: str) -> None:
    """Create the tables and their rows."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute((PROJECT / "schema.sql").read_bytes())
        conn.execute(_FILL.encode())
        conn.execute("VACUUM ANALYZE people")


def generate(place: Place) -> None:
    """Run sqlwright to write the package, as a user does."""
    project = place.folder / "project"
    shutil.copytree(PROJECT, project)
    subprocess.run([_BIN / "sqlwright", "generate"], cwd=project, env=place.environment, check=True, capture_output=True)
