"""Every shape of a real project at once: several folders and schemas, migrations of four tools, files that are both schema and queries."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.projects import Compiler, Project, declare_files

FILES = {
    "migrations/001_start.sql": """\
-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION shout(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    RETURN '
\\not a command
' || upper(t); -- a quote ' in a comment
END $$;
-- +goose StatementEnd
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, nick text);
-- +goose down
DROP TABLE users;
""",
    "migrations/002_more.up.sql": """\
CREATE TABLE tasks (id int PRIMARY KEY, "taskInsertedAt" timestamptz NOT NULL, user_id int REFERENCES users);
""",
    "migrations/002_more.down.sql": "DROP TABLE tasks;\n",
    "migrations/003_tern.sql": """\
ALTER TABLE users ADD COLUMN age int;
---- create above / drop below ----
ALTER TABLE users DROP COLUMN age;
""",
    "migrations/004_dump.sql": """\
\\restrict it's
CREATE SCHEMA archive;
\\connect other
CREATE TABLE archive.users (id int PRIMARY KEY, gone date NOT NULL);
""",
    "stubs.sql": """\
-- Functions of an extension.
-- @sqlc-only
CREATE TABLE nowhere (id int);
CREATE FUNCTION from_extension() RETURNS int LANGUAGE c AS 'x';
""",
    "both/notes.sql": """\
CREATE TABLE notes (id int PRIMARY KEY, body varchar(5) NOT NULL, tags text[] NOT NULL);

-- name: CopyNotes :copyfrom
INSERT INTO notes (id, body, tags) VALUES (@id::int, @body::varchar, @tags::text[]);

CREATE VIEW short_notes AS SELECT id, left(body, 2) AS start, body FROM notes;

-- name: ShortNotes :many
-- @param unused of sqlc
-- @alice asked for this
SELECT * FROM short_notes ORDER BY id;

-- name: MakeAudit :exec
CREATE TABLE IF NOT EXISTS audit (id int PRIMARY KEY);
""",
    "a/users.sql": """\
-- name: TwoIds :many
SELECT u.id, t.id, a.id AS id_2 FROM users u LEFT JOIN tasks t ON t.user_id = u.id LEFT JOIN archive.users a ON a.id = u.id;

-- name: After :many
SELECT "taskInsertedAt" FROM tasks WHERE "taskInsertedAt" > @taskInsertedAts;

-- name: Upsert :exec
INSERT INTO users (id, name) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = sqlc.arg(name);

-- name: Listed :many
SELECT id FROM users WHERE id IN (sqlc.slice(userIds)) ORDER BY id;
""",
    "b/users.sql": """\
-- name: Archived :many
SELECT sqlc.embed(u), sqlc.embed(a) FROM users u LEFT JOIN archive.users a USING (id) ORDER BY u.id;

-- name: Audited :one
SELECT count(*) FROM audit;
""",
}


SOURCE = declare_files(FILES, schema=["migrations", "stubs.sql", "both"], queries=["a", "b", "both/*.sql"], clients="sync")


@pytest.fixture(scope="module")
def project(compiler: Compiler) -> Project:
    return compiler.compile(SOURCE)


@pytest.fixture(scope="module")
def conn(proof_server: str) -> Any:
    with psycopg.connect(proof_server, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS stress")
        admin.execute("CREATE DATABASE stress STRATEGY FILE_COPY")
    with psycopg.connect(make_conninfo(proof_server, dbname="stress")) as connection:
        for statement in (
            "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, nick text, age int)",
            'CREATE TABLE tasks (id int PRIMARY KEY, "taskInsertedAt" timestamptz NOT NULL, user_id int REFERENCES users)',
            "CREATE SCHEMA archive",
            "CREATE TABLE archive.users (id int PRIMARY KEY, gone date NOT NULL)",
            "CREATE TABLE notes (id int PRIMARY KEY, body varchar(5) NOT NULL, tags text[] NOT NULL)",
            "CREATE VIEW short_notes AS SELECT id, left(body, 2) AS start, body FROM notes",
            "INSERT INTO users VALUES (1, 'Ada', NULL, 36), (2, 'Bob', NULL, NULL)",
            "INSERT INTO archive.users VALUES (2, '2020-01-01')",
        ):
            connection.execute(sql.SQL(statement))
        yield connection


def test_files_of_one_name_are_one_module(project: Project, conn: psycopg.Connection[Any]) -> None:
    users = project.module("users")
    first, second = users.archived(conn)
    assert (first.u.age, first.a, second.a.gone.year) == (36, None, 2020)
    assert users.listed(conn, user_ids=[2, 1]) == [1, 2]
    assert users.after.__kwdefaults__ is None
    assert "task_inserted_ats" in users.after.__annotations__
    assert project.module().__doc__


def test_a_named_parameter_takes_precedence_over_a_numbered_one(project: Project, conn: psycopg.Connection[Any]) -> None:
    users = project.module("users")
    users.upsert(conn, id=2, name_2="Bea", name="Ben")
    assert conn.execute("SELECT name FROM users WHERE id = 2").fetchall() == [("Ben",)]


def test_columns_of_one_name_are_numbered_with_a_warning(project: Project, conn: psycopg.Connection[Any]) -> None:
    users = project.module("users")
    row = users.two_ids(conn)[0]
    assert list(type(row).__annotations__) == ["id", "id_3", "id_2"]
    assert 'named `id`: "id" becomes `id_3`' in project.stderr


def test_a_file_may_hold_tables_and_queries(project: Project, conn: psycopg.Connection[Any]) -> None:
    notes = project.module("notes")
    assert notes.copy_notes(conn, [notes.CopyNotesParams(id=1, body="hello", tags=["a"])]) == 1
    assert [(row.id, row.start, row.body) for row in notes.short_notes(conn)] == [(1, "he", "hello")]
    notes.make_audit(conn)
    assert project.module("users").audited(conn) == 0
    with pytest.raises(psycopg.errors.StringDataRightTruncation):
        notes.copy_notes(conn, [notes.CopyNotesParams(id=2, body="too long", tags=[])])


def test_prose_with_an_at_sign_stays_in_the_docstring(project: Project) -> None:
    doc = project.module("notes").short_notes.__doc__
    assert "@alice asked for this" in doc
    assert "@param" not in doc
