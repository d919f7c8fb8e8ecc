"""Servers of every supported major version."""

from __future__ import annotations

import pytest

from tests.support.servers import MAJORS

# The versions at both ends show what a version changes; labelled queries run on all of them each time.
_PARAMS = [pytest.param(major, marks=pytest.mark.slow if major == 16 else ()) for major in MAJORS]


@pytest.fixture(scope="session", params=_PARAMS, ids=lambda major: f"pg{major}")
def major(request: pytest.FixtureRequest) -> int:
    """Every supported major version of PostgreSQL."""
    value: int = request.param
    return value
