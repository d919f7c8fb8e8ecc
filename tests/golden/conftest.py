"""Shared by all cases: the answers of sqlc, and the rewriting of expectations on request."""

from __future__ import annotations

import fcntl

import pytest

from tests.support import sqlc
from tests.support.golden import CASES, NAMES, generate, rewrite
from tests.support.sqlc import Recordings


def pytest_collection_finish(session: pytest.Session) -> None:
    # All cases that were chosen.
    tests = (item for item in session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec"))
    chosen = {test.callspec.params.get("name") for test in tests}
    rewritten = session.config.getoption("--rewrite-golden")
    sqlc.declare(lambda _: [CASES / name / "sqlc.yaml" for name in NAMES if rewritten or name in chosen])


@pytest.fixture(scope="session", autouse=True)
def rewritten(
    request: pytest.FixtureRequest, recordings: Recordings, rewrite_golden: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Rewrite the expectations on request, in the first worker that gets here."""
    if not rewrite_golden:
        return
    server: str = request.getfixturevalue("proof_server")
    done = recordings.folder / "rewritten"
    with (recordings.folder / "rewriting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder = tmp_path_factory.mktemp("rewritten")
            rewrite({name: generate(name, folder, server, recordings) for name in NAMES})
            done.touch()
