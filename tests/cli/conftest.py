"""A small project in a temporary folder, and the program run on it as users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

MIGRATION = """\
-- migrate:up
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);

-- migrate:down
DROP TABLE users;
"""
USERS = """\
-- name: GetUser :one
SELECT name FROM users WHERE id = $1;

-- name: ListUsers :many
SELECT id, name FROM users ORDER BY id;
"""
CONFIGURATION = """\
version: "2"
plugins:
  - name: sqlwright
    process: {cmd: sqlwright-plugin, format: json}
    env: [SQLWRIGHT_DATABASE_URL]
sql:
  - engine: postgresql
    schema: migrations
    queries: queries
    codegen:
      - plugin: sqlwright
        out: generated/app_db
"""
UNSET = ("DATABASE_URL", "SQLWRIGHT_DATABASE_URL", "DBMATE_MIGRATIONS_DIR", "FORCE_COLOR", "NO_COLOR", "COLUMNS")


@dataclass(frozen=True)
class Run:
    """A finished run of the program."""

    code: int
    out: str
    err: str


Sqlwright: TypeAlias = Callable[..., Run]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that compiles: one table, two queries."""
    for name, text in {"migrations/1_users.sql": MIGRATION, "queries/users.sql": USERS, "sqlc.yaml": CONFIGURATION}.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "project"


def run_in(folder: Path, arguments: tuple[str, ...], environ: dict[str, str]) -> Run:
    """Run the program in a folder; its environment is ours without what would point it elsewhere."""
    environment = {name: value for name, value in os.environ.items() if name not in UNSET} | {"COLUMNS": "120"} | environ
    command = [sys.executable, "-c", "from sqlwright.cli import app; app(prog_name='sqlwright')", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def sqlwright(project: Path, proof_server: str) -> Sqlwright:
    """Run the program in the project, with the tests' server to prove on."""

    def run(*arguments: str, **environ: str) -> Run:
        return run_in(project, arguments, {"SQLWRIGHT_DATABASE_URL": proof_server} | environ)

    return run


@pytest.fixture
def embedded_sqlwright(project: Path) -> Sqlwright:
    """Run the program in the project, with a server of its own."""

    def run(*arguments: str, **environ: str) -> Run:
        return run_in(project, arguments, environ)

    return run


def tree(folder: Path) -> dict[str, str]:
    """The files under a folder, by path."""
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*")) if path.is_file()}
