"""A small project in a temporary folder, and the program on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.program import Run, Sqlwright, run_here, run_process
from tests.support.servers import ReadyCluster
from tests.support.small_project import write_project
from tests.support.sqlc import Recordings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that compiles: one table, two queries."""
    return write_project(tmp_path / "project")


@pytest.fixture
def sqlwright(project: Path, proof_server: str, recordings: Recordings) -> Sqlwright:
    """Run the program in the project, in this process, with the tests' server to prove on."""

    def run(*arguments: str, **environ: str) -> Run:
        return run_here(project, arguments, {"SQLWRIGHT_DATABASE_URL": proof_server} | environ, recordings)

    return run


@pytest.fixture
def sqlwright_process(project: Path, proof_server: str) -> Sqlwright:
    """Run the program in the project as users do, with the tests' server to prove on."""

    def run(*arguments: str, **environ: str) -> Run:
        return run_process(project, arguments, {"SQLWRIGHT_DATABASE_URL": proof_server} | environ)

    return run


@pytest.fixture
def started_before(project: Path, ready_cluster: ReadyCluster) -> None:
    """A server of the project's own that need not be made."""
    ready_cluster.copy_to(project)


@pytest.fixture
def embedded_sqlwright(project: Path, recordings: Recordings) -> Sqlwright:
    """Run the program in the project, in this process, with the project's own server."""

    def run(*arguments: str, **environ: str) -> Run:
        return run_here(project, arguments, environ, recordings)

    return run


@pytest.fixture
def embedded_process(project: Path) -> Sqlwright:
    """Run the program in the project as users do, with the project's own server."""

    def run(*arguments: str, **environ: str) -> Run:
        return run_process(project, arguments, environ)

    return run
