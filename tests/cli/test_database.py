"""`sqlwright db`: the development database on a real embedded server."""

from __future__ import annotations

import os
import pty
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sqlwright.postgres import devdb, embedded
from tests.support.program import COMMAND, Sqlwright, environment, run_process
from tests.support.servers import ReadyCluster
from tests.support.small_project import write_project

pytestmark = pytest.mark.programs


@pytest.fixture
def stopped_afterwards(project: Path) -> Iterator[None]:
    """Stop the project's server at the end."""
    yield
    assert embedded.release(project)


def applied(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT version FROM schema_migrations ORDER BY 1")]


@pytest.mark.usefixtures("stopped_afterwards")
def test_the_life_of_an_embedded_database(project: Path, embedded_sqlwright: Sqlwright, embedded_process: Sqlwright) -> None:
    """Made by up, kept running, undone by down, made again by reset, stopped by stop, and there again after the next up."""
    status = embedded_sqlwright("db", "status")
    assert status.code == 0
    assert status.out.endswith("server:   stopped\nIt does not exist yet; create it: sqlwright db up\n")

    up = embedded_process("db", "up")
    assert up.code == 0, up.err
    assert "Applied: 1_users.sql" in up.out
    assert up.out.endswith("It keeps running until: sqlwright db stop\n")
    assert embedded.is_running(project)

    url = embedded_sqlwright("db", "url")
    assert (url.code, url.err) == (0, "")
    address = url.out.removesuffix("\n")
    assert applied(address) == ["1"]
    assert not (project / "db").exists(), "dbmate dumped a schema file"

    with psycopg.connect(address) as connection:
        connection.execute("INSERT INTO users VALUES (1, 'Ada')")
    assert embedded_process("db", "shell", "--", "-Atc", "SELECT name FROM users").out == "Ada\n"
    assert "[X] 1_users.sql" in embedded_process("db", "status").out

    assert embedded_sqlwright("db", "down").code == 0
    assert applied(address) == []
    assert embedded_sqlwright("db", "up").code == 0
    assert embedded_sqlwright("db", "reset", "--yes").code == 0
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)

    assert embedded_sqlwright("db", "stop").out == "The embedded server is stopped.\n"
    assert not embedded.is_running(project)
    assert embedded_sqlwright("db", "url").err == "The server is stopped; start it: sqlwright db up\n"
    embedded_sqlwright("db", "up")
    assert applied(address) == ["1"]


@pytest.mark.usefixtures("started_before", "stopped_afterwards")
def test_a_broken_migration_is_an_error_and_leaves_no_server_running(project: Path, embedded_process: Sqlwright) -> None:
    (project / "migrations/2_broken.sql").write_text("-- migrate:up\nCREATE TABEL x ();\n-- migrate:down\n", encoding="utf-8")
    done = embedded_process("db", "up")
    assert done.code == 1
    assert 'syntax error at or near "TABEL"' in done.err
    assert "error: dbmate up failed on postgres://postgres:***@/dev?host=" in done.err
    assert not embedded.is_running(project)


def test_a_path_with_a_plus_is_the_same_for_dbmate_and_libpq(ready_cluster: ReadyCluster) -> None:
    # Not pytest's folder, whose path may be too long for a socket: the socket would be elsewhere.
    with tempfile.TemporaryDirectory(prefix="c++") as folder:
        project = write_project(Path(folder))
        ready_cluster.copy_to(project)
        try:
            up = run_process(project, ("db", "up"), {})
            assert up.code == 0, up.err
            url = embedded.url(project, "dev")
            assert "c%2B%2B" in url
            assert applied(url) == ["1"]
        finally:
            assert embedded.release(project)


def test_stopping_what_never_ran_is_fine(embedded_sqlwright: Sqlwright) -> None:
    done = embedded_sqlwright("db", "stop")
    assert (done.code, done.out) == (0, "The embedded server is stopped.\n")


def test_reset_asks_first_and_no_means_no(project: Path, embedded_sqlwright: Sqlwright, proof_server: str) -> None:
    url = proof_server.replace("/postgres?", "/asked?")
    environ = environment({"DATABASE_URL": url})
    assert embedded_sqlwright("db", "up", DATABASE_URL=url).code == 0
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [*COMMAND, "db", "reset"], cwd=project, env=environ, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    os.write(ours, b"n\n")
    said, _ = done.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 1
    assert b"Drop postgres://postgres:***@/asked" in said
    assert applied(url) == ["1"]


def test_database_url_names_the_database(project: Path, embedded_process: Sqlwright, proof_server: str) -> None:
    url = proof_server.replace("/postgres?", "/named?")
    done = embedded_process("db", "up", DATABASE_URL=url)
    assert done.code == 0, done.err
    assert "It stays up" not in done.out
    assert applied(url) == ["1"]
    assert not (project / ".sqlwright").exists()
    assert embedded_process("db", "shell", "--", "-Atc", "SELECT current_database()", DATABASE_URL=url).out == "named\n"


@pytest.mark.parametrize(
    "line", ["DATABASE_URL={}", "export DATABASE_URL='{}'", 'OTHER=1\nDATABASE_URL="{}" # mine', "DATABASE_URL={} # mine"]
)
def test_env_files_are_read_as_dbmate_reads_them(project: Path, embedded_sqlwright: Sqlwright, line: str) -> None:
    url = "postgres://me:secret@localhost/shop"
    (project / ".env").write_text(line.format(url) + "\n", encoding="utf-8")
    assert embedded_sqlwright("db", "url").out == f"{url}\n"
    other = "postgres://localhost/other"
    assert embedded_sqlwright("db", "url", DATABASE_URL=other).out == f"{other}\n"


@pytest.mark.parametrize("host", ["db.example.com", "10.0.0.7", "localhost,db.example.com"])
def test_a_database_on_another_machine_is_not_dropped_unasked(embedded_sqlwright: Sqlwright, host: str) -> None:
    done = embedded_sqlwright("db", "reset", DATABASE_URL=f"postgres://me:secret@{host}/shop")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"error: postgres://me:***@{host}/shop is on another machine and is not dropped without --yes\n"
        "  help: if it really is a development database: sqlwright db reset --yes\n"
    )


@pytest.mark.parametrize(
    "url",
    [
        "mysql://root:secret@localhost/shop",
        "host=localhost dbname=shop",
        "postgres://me:se/cret@localhost/shop",
        "postgres://me:secret#1@localhost/shop",
        "postgres://me:secret?1@localhost/shop",
        "postgres://me:se[cret@localhost/shop",
    ],
)
def test_what_is_no_postgresql_url_is_refused_and_not_repeated(embedded_sqlwright: Sqlwright, url: str) -> None:
    done = embedded_sqlwright("db", "up", DATABASE_URL=url)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "error: DATABASE_URL is not a PostgreSQL URL\n"
        "  help: the form is postgres://user:password@host:5432/database; %-escape odd characters in the password\n"
    )


def test_an_unreachable_server_is_an_error_that_hides_the_password(embedded_process: Sqlwright) -> None:
    done = embedded_process("db", "up", DATABASE_URL="postgres://me:secret@127.0.0.1:1/shop")
    assert done.code == 1
    assert done.err.endswith("error: dbmate up failed on postgres://me:***@127.0.0.1:1/shop\n  help: dbmate's own message is above.\n")
    assert "secret" not in done.err


def test_no_folder_of_migrations_is_an_error(project: Path, embedded_sqlwright: Sqlwright) -> None:
    done = embedded_sqlwright("db", "up", "--migrations", "elsewhere")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"error: there is no folder elsewhere in {project}\n"
        "  help: create a first migration: sqlwright db new create_users, or name the folder: --migrations FOLDER\n"
    )


def test_a_new_migration_has_both_directions(project: Path, embedded_process: Sqlwright) -> None:
    done = embedded_process("db", "new", "add_orders")
    assert done.code == 0, done.err
    (made,) = (project / "migrations").glob("*_add_orders.sql")
    assert {"-- migrate:up", "-- migrate:down"} <= set(made.read_text(encoding="utf-8").splitlines())


def test_psql_gets_the_password_apart_from_its_arguments(project: Path) -> None:
    database = devdb.choose(project, {"DATABASE_URL": "postgres://me:s%2Fcret@localhost:5433/shop"})
    conninfo, environment = database.without_password()
    assert conninfo_to_dict(conninfo) == {"user": "me", "host": "localhost", "port": "5433", "dbname": "shop"}
    assert environment == {"PGPASSWORD": "s/cret"}
