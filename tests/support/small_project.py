"""A project that compiles: one table, two queries."""

from __future__ import annotations

from pathlib import Path

from tests.support import sqlc

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


# What tests make of the project: files in place of or besides its own, by path.
_DECLARED: list[dict[str, str]] = [{}]


def declare(files: dict[str, str]) -> dict[str, str]:
    """Declare, while a test module is imported, what a test makes of the project, so that sqlc reads all of them in one run."""
    _DECLARED.append(files)
    return files


def write_project(folder: Path, files: dict[str, str] | None = None) -> Path:
    """Write the project, with these files in place of or besides its own."""
    own = {"migrations/1_users.sql": MIGRATION, "queries/users.sql": USERS, "sqlc.yaml": CONFIGURATION}
    write_files(folder, own | (files or {}))
    return folder


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write files by their paths in a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


sqlc.declare(lambda folder: [write_project(folder / str(number), files) / "sqlc.yaml" for number, files in enumerate(_DECLARED)])
