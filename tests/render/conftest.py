"""Packages, rendered and importable."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.packages import hostile, long, render_into, sample


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages: <package>_<clients>."""
    folder = tmp_path_factory.mktemp("rendered")
    for make in (sample, hostile, long):
        render_into(folder, make.__name__, make())
    return folder


@pytest.fixture(scope="session")
def on_path(rendered: Path) -> Iterator[Path]:
    """The folder of packages, importable."""
    sys.path.insert(0, str(rendered))
    yield rendered
    sys.path.remove(str(rendered))
