"""Examples of diagnostics: a small project, and what brings the diagnostic about."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = """\
CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, nick text, settings jsonb);
CREATE TABLE posts (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES users, title text NOT NULL);
"""
QUERY = """\
-- name: GetUser :one
SELECT id, name FROM users WHERE id = @id;
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A project whose `query.sql`, `schema.sql` and `options` are as given, and the command that fails in it.

    `setup` is a shell script that runs in the project first. `environ` are variables of the environment.
    """

    query: str = QUERY
    schema: str = SCHEMA
    options: str = ""
    setup: str = ""
    command: str = "sqlwright generate"
    environ: tuple[tuple[str, str], ...] = ()

    @property
    def is_about_sql(self) -> bool:
        """Whether it consists only of a query, a schema and options."""
        return not self.setup and not self.environ and self.command == "sqlwright generate"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A diagnostic explained: what is wrong, why that matters, and how to fix it."""

    title: str
    meaning: str
    fix: str
    example: Example
