"""Fixtures for every test: real servers, started here from pip-installed binaries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sqlwright.prove import embedded


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
        yield embedded.url(project, "postgres")
