"""The plugin as sqlc runs it, with no CLI around it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sqlwright.postgres import embedded
from sqlwright.project.configuration import read_configuration
from sqlwright.project.sqlc import REQUESTS
from tests.support import sqlc
from tests.support.golden import copy_project, expected, expected_files
from tests.support.program import tree
from tests.support.sqlc import LIMITS, Recordings

pytestmark = pytest.mark.programs

BIN = Path(sys.executable).parent
PLUGIN = "/plugin.CodegenService/Generate"


def environment(proof_server: str) -> dict[str, str]:
    """An environment in which sqlc finds the plugin, and the plugin the server."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "SQLWRIGHT_DATABASE_URL": proof_server} | LIMITS


def sqlc_generate(project: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `sqlc generate` in a folder."""
    return subprocess.run(["sqlc", "generate"], cwd=project, env=env, capture_output=True, text=True, check=False)  # noqa: S607 - PATH is ours


def call_plugin(project: Path, env: dict[str, str], recordings: Recordings) -> subprocess.CompletedProcess[str]:
    """Run the plugin in a folder with the request that sqlc makes there."""
    configuration = read_configuration(project / "sqlc.yaml")
    (entry,) = configuration.entries
    with recordings.reading(configuration, os.environ) as run:
        (request,) = (run.folder / REQUESTS).iterdir()
        document = json.loads(request.read_bytes())
    document["settings"] |= {name: list(paths) for name, paths in entry.paths}
    document["settings"]["codegen"]["out"] = entry.out
    command, env = [str(BIN / "sqlwright-plugin"), PLUGIN], {**env, "SQLC_VERSION": "v1.31.1"}
    return subprocess.run(command, input=json.dumps(document), cwd=project, env=env, capture_output=True, text=True, check=False)


def generated_project(folder: Path) -> Path:
    """Copy the project of a case with its generated package."""
    project = copy_project("migrations", folder)
    for path, file in expected_files("migrations").items():
        (project / "db" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, project / "db" / path)
    return project


def _write(folder: Path) -> list[Path]:
    """Write the project that the plugin is called in, as it is and with its query changed."""
    projects = [copy_project("migrations", folder / name) for name in ("as_it_is", "changed")]
    change(projects[1])
    return [project / "sqlc.yaml" for project in projects]


sqlc.declare(_write)


def change(project: Path) -> None:
    """Replace the queries."""
    (project / "queries" / "users.sql").write_text("-- name: ListUsers :many\nSELECT id FROM users;\n", encoding="utf-8")


@pytest.mark.parametrize("name", ["clients_both", "migrations"])
def test_sqlc_alone_writes_the_same_bytes(name: str, tmp_path: Path, proof_server: str) -> None:
    project = copy_project(name, tmp_path)
    finished = sqlc_generate(project, environment(proof_server))
    assert finished.returncode == 0, finished.stderr
    assert tree(project / "db") == expected(name).files


def test_sqlc_shows_our_errors_and_writes_nothing(tmp_path: Path, proof_server: str) -> None:
    project = copy_project("error_postgres_refuses", tmp_path)
    finished = sqlc_generate(project, environment(proof_server))
    assert finished.returncode == 1
    assert "error: PostgreSQL refuses query A: operator does not exist: text > bigint\n  --> queries/users.sql:4:12\n" in finished.stderr
    assert not (project / "db").exists()


def test_the_plugin_overwrites_no_file_of_the_users(tmp_path: Path, proof_server: str, recordings: Recordings) -> None:
    project = copy_project("migrations", tmp_path)
    mine = project / "db" / "users.py"
    mine.parent.mkdir()
    mine.write_text("MINE = True\n", encoding="utf-8")
    finished = call_plugin(project, environment(proof_server), recordings)
    assert finished.returncode == 1
    assert "users.py was not written by sqlwright and is not overwritten" in finished.stderr
    assert mine.read_text(encoding="utf-8") == "MINE = True\n"


def test_recorded_proofs_need_no_server(tmp_path: Path, proof_server: str, recordings: Recordings) -> None:
    project = generated_project(tmp_path)
    (project / "db" / "users.py").unlink()
    unreachable = environment(proof_server) | {"SQLWRIGHT_DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}
    finished = call_plugin(project, unreachable, recordings)
    assert finished.returncode == 0, finished.stderr
    assert '"name": "users.py"' in finished.stdout


def test_the_error_for_a_changed_query_without_a_server_names_the_command_to_run(
    tmp_path: Path, proof_server: str, recordings: Recordings
) -> None:
    project = generated_project(tmp_path)
    change(project)
    unreachable = environment(proof_server) | {"SQLWRIGHT_DATABASE_URL": "postgres://nobody:secret@127.0.0.1:1/none"}
    finished = call_plugin(project, unreachable, recordings)
    assert finished.returncode == 1
    assert "1 of 1 queries has no valid proof on record" in finished.stderr
    assert "secret" not in finished.stderr


def test_the_embedded_server_proves_where_none_is_named_and_stops_again(tmp_path: Path, proof_server: str, recordings: Recordings) -> None:
    project = copy_project("migrations", tmp_path)
    env = environment(proof_server)
    del env["SQLWRIGHT_DATABASE_URL"]
    finished = call_plugin(project, env, recordings)
    assert finished.returncode == 0, finished.stderr
    assert not embedded.is_running(project)


def test_a_request_that_is_none_is_refused_in_words() -> None:
    finished = subprocess.run(
        [str(BIN / "sqlwright-plugin"), PLUGIN], input=b"\x0a\x00hello", capture_output=True, check=False, env={"SQLC_VERSION": "v1.31.1"}
    )
    assert finished.returncode == 1
    assert finished.stdout == b""
    assert finished.stderr.startswith(b"error: malformed request")


def test_the_plugin_starts_without_the_programs_for_people() -> None:
    code = "import sys, sqlwright.plugin, sqlwright.pipeline; print([m for m in ('typer', 'rich', 'yaml') if m in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout == "[]\n"


def test_the_plugin_refuses_a_folder_that_two_entries_share(tmp_path: Path, proof_server: str) -> None:
    project = copy_project("migrations", tmp_path)
    config = project / "sqlc.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text + text.split("sql:\n", 1)[1].replace("out: db", "out: ./db/"), encoding="utf-8")
    finished = sqlc_generate(project, environment(proof_server))
    assert finished.returncode == 1
    assert "error: two codegen entries of sqlc.yaml have the same `out`: ./db/" in finished.stderr
    assert not (project / "db").exists()
