"""`sqlwright check`: the generated folder against a fresh generation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.program import Sqlwright, tree
from tests.support.small_project import USERS, declare, write_files

PACKAGE = "generated/app_db"


@pytest.mark.programs
def test_a_generated_folder_is_up_to_date(project: Path, sqlwright: Sqlwright, sqlwright_process: Sqlwright) -> None:
    sqlwright("generate")
    done = sqlwright_process("check")
    assert (done.code, done.out, done.err) == (0, f"{len(tree(project / PACKAGE))} generated files up to date.\n", "")


def test_an_edited_a_missing_and_an_orphaned_file_are_shown_and_left_alone(project: Path, sqlwright: Sqlwright) -> None:
    sqlwright("generate")
    package = project / PACKAGE
    users = package / "users.py"
    users.write_text(users.read_text(encoding="utf-8").replace("id = $1", "id > $1"), encoding="utf-8")
    (package / "old.py").write_text(users.read_text(encoding="utf-8").splitlines()[0] + "\nOLD = 1\n", encoding="utf-8")
    (package / "py.typed").unlink()
    before = tree(project)
    done = sqlwright("check")
    assert done.code == 1
    lines = done.out.splitlines()
    assert f"--- {PACKAGE}/users.py (on disk)" in lines
    assert f"+++ {PACKAGE}/users.py (generated)" in lines
    changed = [line for line in lines if "FROM users WHERE id" in line]
    assert [line[0] for line in changed] == ["-", "+"]
    assert "id > $1" in changed[0]
    assert "id = $1" in changed[1]
    assert "-OLD = 1" in lines
    assert done.err == (
        "error: 3 generated files are not up to date\n"
        f"  orphaned: {PACKAGE}/old.py\n"
        f"  missing: {PACKAGE}/py.typed\n"
        f"  changed: {PACKAGE}/users.py\n"
        "  help: run `sqlwright generate` and commit the result.\n"
    )
    assert tree(project) == before


ANOTHER_ORDER = declare({"queries/users.sql": USERS.replace("ORDER BY id", "ORDER BY name")})


def test_a_changed_query_is_found(project: Path, sqlwright: Sqlwright) -> None:
    sqlwright("generate")
    write_files(project, ANOTHER_ORDER)
    document = json.loads(sqlwright("check", "--format", "json").out)
    assert document["ok"] is False
    assert document["files"]["changed"] == [f"{PACKAGE}/proofs.json", f"{PACKAGE}/users.py"]


def test_recorded_proofs_are_not_believed(project: Path, sqlwright: Sqlwright) -> None:
    sqlwright("generate")
    record = project / PACKAGE / "proofs.json"
    forged = (
        record.read_text(encoding="utf-8").replace('"nullable":false', '"nullable":true').replace('"nullable": false', '"nullable": true')
    )
    assert forged != record.read_text(encoding="utf-8")
    record.write_text(forged, encoding="utf-8")
    done = sqlwright("check")
    assert done.code == 1
    assert f"  changed: {PACKAGE}/proofs.json\n" in done.err


def test_the_help_names_the_configuration_that_was_checked(project: Path, sqlwright: Sqlwright) -> None:
    (project / "sqlc.yaml").rename(project / "other.yaml")
    done = sqlwright("check", "-f", "other.yaml")
    assert done.code == 1
    assert done.err.endswith("  help: run `sqlwright generate --config other.yaml` and commit the result.\n")


def test_line_ends_of_the_machine_are_no_difference(project: Path, sqlwright: Sqlwright) -> None:
    sqlwright("generate")
    users = project / PACKAGE / "users.py"
    users.write_bytes(users.read_bytes().replace(b"\n", b"\r\n"))
    assert sqlwright("check").code == 0


def test_without_a_server_the_record_is_trusted_with_a_warning(sqlwright: Sqlwright) -> None:
    assert sqlwright("generate").code == 0
    done = sqlwright("check", SQLWRIGHT_DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    assert done.code == 0
    assert done.out.endswith("generated files up to date.\n")
    assert done.err.startswith(
        "warning: nothing was proven anew; the recorded proofs were reused: cannot connect to SQLWRIGHT_DATABASE_URL"
    )


def test_a_record_that_was_edited_is_never_trusted_and_the_error_names_the_edit(project: Path, sqlwright: Sqlwright) -> None:
    sqlwright("generate")
    before = tree(project / PACKAGE)
    record = project / PACKAGE / "proofs.json"
    record.write_text(record.read_text(encoding="utf-8").replace('"nullable": false', '"nullable": true', 1), encoding="utf-8")
    assert tree(project / PACKAGE) != before
    nowhere = "postgres://nobody@127.0.0.1:1/none"
    said = f"{PACKAGE}/proofs.json was edited: its record of GetUser does not match its seal; the whole file is ignored"
    alone = sqlwright("check", SQLWRIGHT_DATABASE_URL=nowhere)
    assert alone.code == 1
    assert f"warning: {said}\n" in alone.err
    assert "2 of 2 queries have no valid proof on record" in alone.err
    assert sqlwright("generate", SQLWRIGHT_DATABASE_URL=nowhere).code == 1
    assert f"warning: {said}\n" in sqlwright("check").err
    assert sqlwright("generate").code == 0
    assert tree(project / PACKAGE) == before


def test_another_postgresql_than_the_recorded_one_is_named_and_the_advice_works(project: Path, sqlwright: Sqlwright) -> None:
    sqlwright("generate")
    record = project / PACKAGE / "proofs.json"
    ours = record.read_text(encoding="utf-8")
    record.write_text(_recorded_on_16(ours), encoding="utf-8")
    done = sqlwright("check")
    assert done.code == 1
    assert done.err.splitlines()[-2:] == [
        "  help: the recorded proofs are from PostgreSQL 16, but this server is PostgreSQL 18: check with 16, as recorded;",
        f"  help: or move to 18: `rm {PACKAGE}/proofs.json && sqlwright generate`, and commit the result.",
    ]
    record.unlink()
    sqlwright("generate")
    assert record.read_text(encoding="utf-8") == ours
    assert sqlwright("check").code == 0


def _recorded_on_16(text: str) -> str:
    return text.replace('"postgres": 18', '"postgres": 16')
