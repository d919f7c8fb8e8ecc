"""Servers of every supported major version."""

from __future__ import annotations

import pytest

from tests.support.servers import MAJORS


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"pg{major}")
def major(request: pytest.FixtureRequest) -> int:
    """Every supported major version of PostgreSQL."""
    value: int = request.param
    return value
