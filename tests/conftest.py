"""Fixtures for every test: real servers, started here from pip-installed binaries."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sqlwright.postgres import embedded


def pytest_configure(config: pytest.Config) -> None:
    # PostgreSQL refuses to run as root and runs as another user then, who must reach its data. pytest closes the folder that all of its
    # sessions share to everybody else whenever one starts.
    if os.geteuid() == 0 and not config.option.basetemp:
        config.option.basetemp = tempfile.mkdtemp(prefix="sqlwright-tests-")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="write the expectations of the golden cases anew")


@pytest.fixture(scope="session")
def rewrite_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden expectations are to be written anew."""
    return bool(request.config.getoption("--rewrite-golden"))


@pytest.fixture(scope="session")
def proof_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running PostgreSQL of the newest supported version."""
    project: Path = tmp_path_factory.mktemp("proof")
    with embedded.running(project):
        url = embedded.url(project, "postgres")
        with psycopg.connect(url, autocommit=True) as admin:
            # Nothing here needs to outlive the tests, so nothing has to wait for the disk.
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("SELECT pg_reload_conf()")
        yield url
