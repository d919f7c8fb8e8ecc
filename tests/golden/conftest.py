"""Shared by all cases: the answers of sqlc, and the rewriting of expectations on request."""

from __future__ import annotations

import fcntl

import pytest

from sqlwright.project.configuration import read_configuration
from tests.support.golden import CASES, NAMES, generate, rewrite
from tests.support.sqlc import Recordings


@pytest.fixture(scope="session")
def recorded(request: pytest.FixtureRequest, recordings: Recordings, rewrite_golden: bool) -> Recordings:
    """One run of sqlc over all cases that were chosen."""
    tests = (item for item in request.session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec"))
    chosen = {test.callspec.params.get("name") for test in tests}
    recordings.record(read_configuration(CASES / name / "sqlc.yaml") for name in NAMES if rewrite_golden or name in chosen)
    return recordings


@pytest.fixture(scope="session", autouse=True)
def rewritten(
    request: pytest.FixtureRequest, recordings: Recordings, rewrite_golden: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Rewrite the expectations on request, in the first worker that gets here."""
    if not rewrite_golden:
        return
    server: str = request.getfixturevalue("proof_server")
    recorded: Recordings = request.getfixturevalue("recorded")
    done = recordings.folder / "rewritten"
    with (recordings.folder / "rewriting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder = tmp_path_factory.mktemp("rewritten")
            rewrite({name: generate(name, folder, server, recorded) for name in NAMES})
            done.touch()
