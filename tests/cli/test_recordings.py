"""What the tests themselves rest on: an answer out of a run that several projects shared is the one that a project gets alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from sqlwright.diagnostics import Diagnostic
from sqlwright.project.configuration import Configuration, Entry, read_configuration
from sqlwright.project.sqlc import Run, reading
from sqlwright.resolve.protocol import GenerateRequest
from tests.support.small_project import CONFIGURATION, write_files, write_project
from tests.support.sqlc import LIMITS, Recordings

_OTHER_BLOCK = CONFIGURATION.split("sql:\n", 1)[1].replace("queries: queries", "queries: [reports]").replace("app_db", "reports_db")
_SOUND = {"sqlc.yaml": CONFIGURATION + _OTHER_BLOCK, "reports/totals.sql": "-- name: CountUsers :one\nSELECT count(*) FROM users;\n"}
_CHANGED = {"queries/users.sql": "-- name: Changed :one\nSELECT 1;\n"}
_WRONG = {"queries/users.sql": "-- name: A :one\nSELECT nope FROM users;\n\n-- name: B :many\nSELECT id FROM strangers;\n"}


pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Heard:
    """Everything that the compiler learns from sqlc."""

    requests: dict[Entry, GenerateRequest]
    complaints: tuple[Diagnostic, ...]


def heard(run: Run) -> Heard:
    """Take all requests, then the complaints."""
    return Heard(dict(run.requests()), run.complaints())


def test_an_answer_out_of_a_shared_run_is_the_one_that_a_project_gets_alone(tmp_path: Path) -> None:
    projects = [write_project(tmp_path / name, files) for name, files in (("sound", _SOUND), ("wrong", _WRONG))]
    asked: list[Configuration] = [read_configuration(project / "sqlc.yaml") for project in projects]
    recordings = Recordings(tmp_path / "recorded")
    recordings.record(asked)
    recorded = len([path for path in recordings.folder.iterdir() if path.name != "lock"])
    assert recorded == len(asked)
    for configuration in asked:
        with recordings.reading(configuration, os.environ) as shared, reading(configuration, os.environ | LIMITS) as alone:
            assert heard(shared) == heard(alone)


def test_an_answer_holds_for_one_content_of_the_files_only(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path / "recorded")
    project, other = (write_project(tmp_path / name, files) for name, files in (("project", {}), ("other", _CHANGED)))
    recordings.record(map(read_configuration, (project / "sqlc.yaml", other / "sqlc.yaml")))
    recorded = sorted(recordings.folder.iterdir())
    with recordings.reading(read_configuration(project / "sqlc.yaml"), os.environ) as run:
        before = heard(run)
    moved = project.rename(tmp_path / "elsewhere")
    with recordings.reading(read_configuration(moved / "sqlc.yaml"), os.environ) as run:
        assert heard(run) == before
    write_files(moved, _CHANGED)
    with recordings.reading(read_configuration(moved / "sqlc.yaml"), os.environ) as run:
        assert [query.name for request in heard(run).requests.values() for query in request.queries] == ["Changed"]
    assert sorted(recordings.folder.iterdir()) == recorded
