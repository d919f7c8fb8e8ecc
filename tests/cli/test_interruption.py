"""Whatever stops a run leaves either the old package or the new one, no other files, and a message."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from sqlwright.project.folder import Comparison, Difference
from sqlwright.project.writing import write
from tests.support.program import COMMAND, Sqlwright, tree
from tests.support.small_project import declare, write_files

pytestmark = pytest.mark.programs

PACKAGE = "generated/app_db"
OTHER_COLUMN = "-- migrate:up\nCREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, age int);\n"
KINDS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


CHANGED = declare({"migrations/1_users.sql": OTHER_COLUMN, "queries/more.sql": "-- name: AllUsers :many\nSELECT * FROM users;\n"})
ENDING = declare(
    {
        "migrations/1_users.sql": (
            "CREATE FUNCTION ended() RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT pg_terminate_backend(pg_backend_pid())';\n"
            "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);\n"
            "SELECT ended();\n"
        )
    }
)


def change(project: Path) -> None:
    """Change the models, the record and a module, and add a module."""
    write_files(project, CHANGED)


def start(project: Path, proof_server: str, prepare: Callable[[], None] | None = None) -> subprocess.Popen[str]:

    def in_child() -> None:
        # The tests may run in the background of a shell, which ignores it there.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if prepare:
            prepare()

    return subprocess.Popen(
        [*COMMAND, "generate"],
        cwd=project,
        env=os.environ | {"SQLWRIGHT_DATABASE_URL": proof_server},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=in_child,  # noqa: PLW1509 - a limit of the child alone; nothing here has threads
    )


def package(project: Path) -> dict[str, str]:
    """Return the generated files, and any other files left next to them."""
    return tree(project / "generated")


@pytest.mark.slow
def test_a_run_that_is_stopped_at_any_time_leaves_the_old_package_or_the_new_one(
    project: Path, sqlwright: Sqlwright, proof_server: str, tmp_path: Path
) -> None:
    assert sqlwright("generate").code == 0
    old = package(project)
    shutil.copytree(project, saved := tmp_path / "saved", ignore=shutil.ignore_patterns(".sqlwright"))
    change(project)
    sqlwright("generate")
    new = package(project)
    assert old.keys() < new.keys()
    choose = random.Random(7)  # noqa: S311 - no secret
    for round_ in range(9):
        shutil.rmtree(project)
        shutil.copytree(saved, project)
        change(project)
        kind = KINDS[round_ % len(KINDS)]
        process = start(project, proof_server)
        with process:
            try:
                process.wait(choose.uniform(0.2, 3))
            except subprocess.TimeoutExpired:
                process.send_signal(kind)
            _, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        assert process.returncode in {0, -kind, 128 + kind}
        left = {name: text for name, text in package(project).items() if not name.startswith(".app_db.new/")}
        assert left in (old, new)
        if kind is not signal.SIGKILL:
            assert package(project) in (old, new)
        assert sqlwright("generate").code == 0
        assert package(project) == new


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_the_exit_code_and_one_line_name_the_signal(project: Path, proof_server: str, kind: signal.Signals) -> None:
    # A schema that no other test has: its scratch database is not there yet, and a lock on PostgreSQL's list of databases holds the
    # run where it creates it.
    (project / "migrations/2_mark.sql").write_text(f"CREATE TABLE mark_{kind.name} (id int);\n", encoding="utf-8")
    with psycopg.connect(proof_server) as connection:
        connection.execute("LOCK pg_database IN SHARE MODE")
        process = start(project, proof_server)
        with process:
            while not waiting(connection):
                assert process.poll() is None, process.communicate()
            process.send_signal(kind)
            connection.rollback()
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + kind, "", f"error: stopped by {kind.name}\n\n1 error; nothing was written.\n")
    assert not (project / "generated").exists()


def waiting(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    # PostgreSQL's own processes wait for that list too. Activity is read once in a transaction unless it is forgotten.
    connection.execute("SELECT pg_stat_clear_snapshot()")
    row = connection.execute(
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND l.relation = 'pg_database'::regclass"
        " AND l.mode = 'RowExclusiveLock' AND a.backend_type = 'client backend'"
    ).fetchone()
    return row is not None and row[0] != 0


def test_a_full_disk_leaves_the_old_package(project: Path, sqlwright: Sqlwright, proof_server: str) -> None:
    assert sqlwright("generate").code == 0
    old = package(project)
    change(project)
    # sqlc's request is larger than any file of the package, so it is the package's longest file that is held against the limit here.
    out = project / PACKAGE
    text = "x" * 4096
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = frozenset({out / "users.py", out / "models.py"})
    differences = tuple(Difference(path, "", text) for path in sorted(files))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(Exception, match="File too large") as caught:
            write(Comparison(differences, 0, {out: files}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "free some disk space" in str(caught.value)
    assert package(project) == old


def test_a_disk_that_is_full_for_every_file_is_one_clear_error(project: Path, proof_server: str) -> None:
    process = start(project, proof_server, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512)))
    with process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert err.startswith("error: ")
    assert not (project / "generated").exists()


def test_a_server_that_ends_meanwhile_is_one_clear_error(project: Path, sqlwright: Sqlwright, proof_server: str) -> None:
    # The connection that proves is ended by what it proves: the schema's own function, which the planner folds.
    write_files(project, ENDING)
    done = sqlwright("generate")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert done.err.count("error: ") == 1


def test_files_of_the_user_stay_and_one_that_came_meanwhile_too(tmp_path: Path) -> None:
    out = tmp_path / "app_db"
    out.mkdir()
    (out / "mine.py").write_text("MINE = 1\n", encoding="utf-8")
    files = frozenset({out / "a.py", out / "b.py"})
    write(Comparison(tuple(Difference(path, None, "") for path in sorted(files)), 0, {out: files}))
    assert tree(tmp_path) == {"app_db/a.py": "", "app_db/b.py": "", "app_db/mine.py": "MINE = 1\n"}


def test_a_folder_that_is_a_link_stays_one(project: Path, sqlwright: Sqlwright, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project / "generated").mkdir()
    (project / PACKAGE).symlink_to(tmp_path / "elsewhere")
    assert sqlwright("generate").code == 0
    change(project)
    assert sqlwright("generate").code == 0
    assert (project / PACKAGE).is_symlink()
    assert "more.py" in tree(tmp_path / "elsewhere")
    assert sqlwright("check").code == 0
