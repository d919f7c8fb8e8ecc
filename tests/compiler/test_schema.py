"""The schema: only the way up is applied, once, and an error points at its line."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from sqlwright.diagnostics import CompileError, format_diagnostic
from sqlwright.postgres.server import Server, postgres_server
from sqlwright.prove.scratch.database import scratch_database
from sqlwright.prove.scratch.schema import read_schema

MIGRATION = "-- migrate:up\nCREATE TABLE t (id int);\n\n-- migrate:down\nDROP TABLE t;\n"


@pytest.fixture
def server(proof_server: str, tmp_path: Path) -> Server:
    with postgres_server(tmp_path, {"SQLWRIGHT_DATABASE_URL": proof_server}) as found:
        return found


def test_the_digest_changes_with_the_way_up_only(tmp_path: Path) -> None:
    file = tmp_path / "1.sql"
    digests: list[str] = []
    for text in (MIGRATION, MIGRATION.replace("DROP TABLE t", "DROP TABLE IF EXISTS t"), MIGRATION.replace("id int", "id bigint")):
        file.write_text(text, encoding="utf-8")
        digests.append(read_schema(tmp_path, ("1.sql",)).digest)
    assert digests[0] == digests[1] != digests[2]


def test_down_files_of_golang_migrate_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1_t.up.sql").write_text("CREATE TABLE t (id int);", encoding="utf-8")
    (tmp_path / "1_t.down.sql").write_text("DROP TABLE t;", encoding="utf-8")
    assert [file.path for file in read_schema(tmp_path, (".",)).files] == ["1_t.up.sql"]


def test_a_file_for_sqlc_only_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "stubs.sql").write_text("-- @sqlc-only\nCREATE FUNCTION f() RETURNS int;", encoding="utf-8")
    assert read_schema(tmp_path, (".",)).files == ()


def test_a_file_without_a_statement_adds_nothing(server: Server, tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text("-- Only a comment.\n", encoding="utf-8")
    with scratch_database(server, read_schema(tmp_path, (".",))) as connection:
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchone() == (0,)


def test_files_apply_in_the_order_of_their_names(server: Server, tmp_path: Path) -> None:
    (tmp_path / "2.sql").write_text("ALTER TABLE t ADD COLUMN added text;", encoding="utf-8")
    (tmp_path / "1.sql").write_text("CREATE TABLE t (id int);", encoding="utf-8")
    with scratch_database(server, read_schema(tmp_path, (".",))) as connection:
        assert connection.execute("SELECT id, added FROM t").fetchall() == []


def test_a_scratch_database_is_built_once_for_the_same_schema(server: Server, tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text(f"CREATE TABLE once_{os.getpid()} (id int);", encoding="utf-8")
    schema = read_schema(tmp_path, ("1.sql",))
    oids: list[object] = []
    for _ in range(2):
        with scratch_database(server, schema) as connection:
            oids.append(connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone())
    assert oids[0] == oids[1]


def test_two_runs_may_build_the_same_schema_at_once(server: Server, tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text(f"CREATE TABLE at_once_{os.getpid()} (id int); SELECT pg_sleep(0.2);", encoding="utf-8")
    schema = read_schema(tmp_path, ("1.sql",))

    def build(_: int) -> object:
        with scratch_database(server, schema) as connection:
            return connection.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'at_once_%'").fetchone()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(build, range(2))) == [(1,), (1,)]


def test_a_refused_migration_is_shown_at_its_line_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text(
        "-- migrate:up\nCREATE TABLE t (id int);\nCREATE INDEX ON t (nope);\n-- migrate:down\n", encoding="utf-8"
    )
    with pytest.raises(CompileError) as caught, scratch_database(server, read_schema(tmp_path, ("1.sql",))):
        pass
    (diagnostic,) = caught.value.diagnostics
    assert format_diagnostic(diagnostic) == (
        'error: PostgreSQL refuses the schema: column "nope" does not exist\n'
        "  --> 1.sql:3:1\n"
        "    |\n"
        "  3 | CREATE INDEX ON t (nope);\n"
        "    | ^\n"
        "  help: fix the migration; it must apply to an empty database, after the files before it."
    )
    with psycopg.connect(server.conninfo(server.admin_database)) as admin:
        digest = read_schema(tmp_path, ("1.sql",)).digest[:24]
        assert admin.execute("SELECT datname FROM pg_database WHERE strpos(datname, %s) > 0", [digest]).fetchall() == []
