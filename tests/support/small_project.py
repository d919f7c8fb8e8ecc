"""A project that compiles: one table, two queries."""

from __future__ import annotations

from pathlib import Path

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


def write_project(folder: Path, files: dict[str, str] | None = None) -> Path:
    """Write the project, with these files in place of or besides its own."""
    for name, text in {
        "migrations/1_users.sql": MIGRATION,
        "queries/users.sql": USERS,
        "sqlc.yaml": CONFIGURATION,
        **(files or {}),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
