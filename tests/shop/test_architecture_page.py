"""The links of the architecture page lead to existing files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8")))))
def test_a_link_of_the_page_exists(target: str) -> None:
    assert (PAGE.parent / target).is_file()
