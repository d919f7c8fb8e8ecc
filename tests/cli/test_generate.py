"""`sqlwright generate`: what it writes, what it leaves alone, and what it says about bad input."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.program import COMMAND, Sqlwright, tree
from tests.support.small_project import CONFIGURATION, USERS, declare, write_files

PACKAGE = "generated/app_db"
_OTHER_BLOCK = CONFIGURATION.split("sql:\n", 1)[1].replace("queries: queries", "queries: [reports]").replace("app_db", "reports_db")


def without_seconds(text: str) -> str:
    return re.sub(r"[\d.]+ s$", "<seconds>", text.rstrip())


def test_a_first_run_writes_the_package_and_reports_it(project: Path, sqlwright_process: Sqlwright) -> None:
    done = sqlwright_process("generate")
    assert (done.code, done.err) == (0, "")
    files = tree(project / PACKAGE)
    assert "def get_user(" in files["users.py"]
    assert without_seconds(done.out) == "\n".join(
        [
            *(f"  created  {PACKAGE}/{name}" for name in files),
            f"2 queries, 2 functions, {len(files)} files written, 0 unchanged, <seconds>",
        ]
    )


def test_a_second_run_touches_nothing(project: Path, sqlwright: Sqlwright) -> None:
    sqlwright("generate")
    before = {path: path.stat().st_mtime_ns for path in (project / PACKAGE).iterdir()}
    done = sqlwright("generate")
    assert without_seconds(done.out) == f"2 queries, 2 functions, 0 files written, {len(before)} unchanged, <seconds>"
    assert {path: path.stat().st_mtime_ns for path in (project / PACKAGE).iterdir()} == before


MORE = declare({"queries/more.sql": "-- name: CountUsers :one\nSELECT count(*) FROM users;\n"})


def test_a_removed_query_file_takes_its_module_along_and_a_hand_written_file_stays(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, MORE)
    sqlwright("generate")
    mine = project / PACKAGE / "mine.py"
    mine.write_text("MINE = True\n", encoding="utf-8")
    (project / "queries/more.sql").unlink()
    done = sqlwright("generate")
    assert f"  removed  {PACKAGE}/more.py" in done.out.splitlines()
    assert not (project / PACKAGE / "more.py").exists()
    assert mine.exists()


def test_a_hand_written_file_is_never_overwritten(project: Path, sqlwright: Sqlwright) -> None:
    mine = project / PACKAGE / "users.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("MINE = True\n", encoding="utf-8")
    done = sqlwright("generate")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"error: {PACKAGE}/users.py was not written by sqlwright and is not overwritten\n"
        f"  --> {PACKAGE}/users.py\n"
        "  help: move the file elsewhere or delete it, or change `out` in sqlc.yaml.\n"
        "\n1 error; nothing was written.\n"
    )
    assert tree(project / "generated") == {"app_db/users.py": "MINE = True\n"}


@pytest.mark.parametrize("path", ["generated", PACKAGE])
def test_a_file_where_the_package_s_folder_goes_is_an_error_and_stays(project: Path, sqlwright: Sqlwright, path: str) -> None:
    (project / path).parent.mkdir(exist_ok=True)
    (project / path).write_text("a file where a folder should go", encoding="utf-8")
    before = tree(project)
    done = sqlwright("generate")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"error: {path} is a file, but the generated package needs a folder there\n"
        "  help: move the file elsewhere, or change `out` in sqlc.yaml.\n"
        "\n1 error; nothing was written.\n"
    )
    assert tree(project) == before


def test_a_folder_where_a_file_goes_is_an_error(project: Path, sqlwright: Sqlwright) -> None:
    (project / PACKAGE / "users.py").mkdir(parents=True)
    done = sqlwright("generate")
    assert done.code == 1
    assert done.err.startswith(f"error: {PACKAGE}/users.py is a folder, but a generated file goes there\n")
    assert tree(project / "generated") == {}


def test_the_configuration_may_be_elsewhere(project: Path, sqlwright: Sqlwright, tmp_path: Path) -> None:
    other = tmp_path / "a folder with spaces"
    project.rename(other)
    project.mkdir()
    done = sqlwright("generate", "--config", str(other / "sqlc.yaml"))
    assert done.code == 0, done.err
    assert (other / PACKAGE / "users.py").is_file()


TWO_BLOCKS = declare(
    {
        "sqlc.yaml": f"{CONFIGURATION}{_OTHER_BLOCK}        options: {{clients: async}}\n",
        "reports/totals.sql": "-- name: CountUsers :one\nSELECT count(*) FROM users;\n",
    }
)


def test_two_blocks_make_two_packages_each_with_its_options(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, TWO_BLOCKS)
    done = sqlwright("generate")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].startswith("3 queries, 3 functions, ")
    assert "\ndef get_user(" in (project / PACKAGE / "users.py").read_text(encoding="utf-8")
    assert "async def count_users(" in (project / "generated/reports_db/totals.py").read_text(encoding="utf-8")


COMPLAINTS = declare(
    {
        "queries/a.sql": "-- name: A :one\nSELECT\n  id, nope FROM users;\n\n-- name: B :two\nSELECT 1;\n",
        "queries/b.sql": "-- name: C :one\nSELECT 1\nFROM strangers;\n",
        "queries/c.sql": "-- name: D :one\nSELECT FROM WHERE;\n",
        "queries/users.sql": USERS + "\n-- name: GetUser :exec\nDELETE FROM users;\n",
    }
)


def test_every_complaint_of_sqlc_points_at_its_place(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, COMPLAINTS)
    done = sqlwright("generate")
    assert (done.code, done.out) == (1, "")
    assert done.err == Path(__file__).with_name("complaints.txt").read_text(encoding="utf-8")
    assert not (project / "generated").exists()


BOTH_WRONG = declare(
    {
        "sqlc.yaml": CONFIGURATION + _OTHER_BLOCK,
        "reports/totals.sql": "-- name: A :one\nSELECT nope FROM users;\n",
        # sqlc accepts this one, PostgreSQL refuses it.
        "queries/users.sql": "-- name: B :many\nSELECT name, count(*) FROM users;\n",
    }
)


def test_an_error_of_one_block_does_not_hide_those_of_another(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, BOTH_WRONG)
    done = sqlwright("generate")
    assert done.code == 1
    assert 'error: PostgreSQL refuses query A: column "nope" does not exist\n  --> reports/totals.sql:2:8\n' in done.err
    assert "  --> queries/users.sql:2:8\n" in done.err


def test_json_is_one_document_with_the_same_facts(project: Path, sqlwright: Sqlwright) -> None:
    done = sqlwright("generate", "--format", "json")
    document = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert document.pop("seconds") > 0
    assert document == {
        "ok": True,
        "packages": [{"out": PACKAGE, "queries": 2, "functions": 2}],
        "files": {"created": [f"{PACKAGE}/{name}" for name in tree(project / PACKAGE)], "changed": [], "removed": [], "unchanged": 0},
        "diagnostics": [],
    }


UNKNOWN_COLUMN = declare({"queries/users.sql": "-- name: A :one\nSELECT nope FROM users;\n"})


def test_json_errors_are_on_stdout_too(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, UNKNOWN_COLUMN)
    done = sqlwright("generate", "--format=json")
    assert (done.code, done.err) == (1, "")
    assert json.loads(done.out) == {
        "ok": False,
        "diagnostics": [
            {
                "severity": "error",
                "code": "refused-query",
                "message": 'PostgreSQL refuses query A: column "nope" does not exist',
                "file": "queries/users.sql",
                "line": 2,
                "column": 8,
                "label": "",
                "help": "columns of users: id, name.",
            }
        ],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "error: sqlc.yaml was not found in {folder}\n  help: a minimal sqlc.yaml:\n"),
        ("a: [", "error: sqlc.yaml is not valid YAML: expected the node content, but found '<stream end>'\n  --> sqlc.yaml:1:5\n"),
        (
            "version: 1\n",
            'error: sqlc.yaml is not a sqlc configuration of version 2\n  --> sqlc.yaml\n  help: it begins with: version: "2"\n',
        ),
        ("version: 2\n", "error: no codegen entry of sqlc.yaml calls sqlwright-plugin\n  --> sqlc.yaml\n  help: a minimal sqlc.yaml:\n"),
        (
            CONFIGURATION.replace("        out: generated/app_db\n", ""),
            "error: a codegen entry of sqlc.yaml has no `out`\n  --> sqlc.yaml:11:9\n",
        ),
        (CONFIGURATION + "        out: other\n", 'error: sqlc.yaml is not valid YAML: duplicate key "out"\n  --> sqlc.yaml:13:9\n'),
        (
            CONFIGURATION + "        options: &a {rename: *a}\n",
            "error: sqlc.yaml has a value sqlc cannot read: Circular reference detected\n",
        ),
        (CONFIGURATION + "2026-01-01: x\n", "error: sqlc.yaml has a value sqlc cannot read: keys must be str, int, float, bool or None"),
        ("[" * 600, "error: sqlc.yaml is nested too deeply\n  --> sqlc.yaml\n"),
        (
            CONFIGURATION.replace("engine: postgresql\n    ", ""),
            "error: a `sql:` block of sqlc.yaml has no `engine`\n  --> sqlc.yaml:7:5\n",
        ),
        (CONFIGURATION.replace("    queries: queries\n", ""), "error: a `sql:` block of sqlc.yaml has no `queries`\n  --> sqlc.yaml:7:5\n"),
        (
            CONFIGURATION.replace("queries: queries", "queries: [queries, 5]"),
            "error: `queries` of a `sql:` block of sqlc.yaml is no path\n  --> sqlc.yaml:9:14\n",
        ),
        (
            CONFIGURATION.replace("schema: migrations", "schema: {a: b}"),
            "error: `schema` of a `sql:` block of sqlc.yaml is no path\n  --> sqlc.yaml:8:13\n",
        ),
        (
            CONFIGURATION.replace("engine: postgresql", "engine: mysql"),
            'error: engine "mysql" of sqlc.yaml is not supported: sqlwright proves queries with PostgreSQL\n',
        ),
        (
            CONFIGURATION + "    queriez: x\n",
            "error: sqlc: error parsing sqlc.yaml: yaml: unmarshal errors: field queriez not found in type config.SQL\n",
        ),
        (
            CONFIGURATION.replace("queries: queries", "queries: nothing"),
            "error: nothing does not exist\n  --> sqlc.yaml:9:14\n",
        ),
    ],
)
def test_the_error_for_a_bad_configuration_names_the_mistake(project: Path, sqlwright: Sqlwright, text: str | None, message: str) -> None:
    if text is None:
        (project / "sqlc.yaml").unlink()
    else:
        (project / "sqlc.yaml").write_text(text, encoding="utf-8")
    done = sqlwright("generate")
    assert done.code == 1
    assert done.err.startswith(message.format(folder=project))


def test_no_server_is_an_error_that_hides_the_password(project: Path, sqlwright: Sqlwright) -> None:
    done = sqlwright("generate", SQLWRIGHT_DATABASE_URL="postgres://me:secret@127.0.0.1:1/db")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "error: cannot connect to SQLWRIGHT_DATABASE_URL (postgres://me:***@127.0.0.1:1/db): "
        'connection to server at "127.0.0.1", port 1 failed: Connection refused; 2 of 2 queries have no valid proof on record\n'
        "  help: start that server, correct the URL, or unset SQLWRIGHT_DATABASE_URL to use the embedded server\n"
        "\n1 error; nothing was written.\n"
    )


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_errors_are_coloured_on_a_terminal_unless_no_color_is_set(project: Path, environ: dict[str, str], coloured: bool) -> None:
    (project / "sqlc.yaml").unlink()
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    command = [*COMMAND, "generate"]
    with subprocess.Popen(
        command, cwd=project, env=environment | {"TERM": "xterm"} | environ, stderr=theirs, stdin=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        shown = b""
        # At the end, Linux raises EIO and macOS returns no bytes.
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:
            pass
    os.close(ours)
    assert process.returncode == 1
    assert b"sqlc.yaml was not found" in shown
    assert (b"\x1b[1;31merror:" in shown) is coloured


# sqlc crashes at this one, and would take along whatever else it reads.
CRASH = {
    "migrations/1_users.sql": "-- migrate:up\nCREATE FUNCTION f(OUT a int, OUT b text) LANGUAGE sql AS $$ SELECT 1, 'a' $$;\n",
    "queries/users.sql": "-- name: Parts :one\nSELECT f() AS parts;\n",
}
NO_CRASH = declare(CRASH | {"migrations/1_users.sql": CRASH["migrations/1_users.sql"].replace("LANGUAGE", "RETURNS record LANGUAGE")})


def test_a_crash_of_sqlc_is_reported_with_its_known_causes(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, CRASH)
    done = sqlwright("generate")
    assert done.code == 1
    assert "error: sqlc crashed" in done.err
    assert "a function that has OUT parameters and no RETURNS (add `RETURNS record`" in done.err
    write_files(project, NO_CRASH)
    assert sqlwright("generate").code == 0


UNQUOTED = declare(
    {
        "migrations/1_users.sql": '-- migrate:up\nCREATE TABLE users (id int PRIMARY KEY, "a""b" text);\n',
        "queries/users.sql": "-- name: All :many\nSELECT * FROM users;\n",
    }
)
WRITTEN_OUT = declare(UNQUOTED | {"queries/users.sql": '-- name: All :many\nSELECT id, "a""b" FROM users;\n'})


def test_names_that_sqlc_does_not_quote_are_to_be_written_out(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, UNQUOTED)
    assert "write out the columns" in sqlwright("generate").err
    write_files(project, WRITTEN_OUT)
    assert sqlwright("generate").code == 0


NAMES_WITHIN = declare(
    {
        "queries/users.sql": (
            "-- name: A :many\nSELECT id FROM users;-- name: B :many\nSELECT id FROM users;\n/*\n-- name: C :many\n*/\nSELECT 1;\n"
        )
    }
)


def test_a_name_that_sqlc_reads_where_no_name_line_is_is_an_error_at_its_place(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, NAMES_WITHIN)
    done = sqlwright("generate")
    assert done.code == 1
    assert "error: query B has no name line of its own\n  --> queries/users.sql:2:31\n" in done.err
    assert "error: query C has no name line of its own\n  --> queries/users.sql:5:10\n" in done.err
