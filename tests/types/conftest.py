"""The compiler on real servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support.projects import Compiler
from tests.support.servers import Servers
from tests.support.sqlc import Recordings


@pytest.fixture(scope="session")
def compiler(proof_server: str, tmp_path_factory: pytest.TempPathFactory, recordings: Recordings) -> Iterator[Compiler]:
    """The compiler on the newest server."""
    path = list(sys.path)
    yield Compiler(proof_server, tmp_path_factory.mktemp("types"), recordings)
    sys.path[:] = path


@pytest.fixture(scope="session")
def debian_compiler(servers: Servers, tmp_path_factory: pytest.TempPathFactory, recordings: Recordings) -> Iterator[Compiler]:
    """The compiler on Debian's server, which has the extensions of PostgreSQL's contrib; skips where it is not installed."""
    path = list(sys.path)
    yield Compiler(servers.conninfo(15), tmp_path_factory.mktemp("types"), recordings)
    sys.path[:] = path
