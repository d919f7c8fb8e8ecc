"""The links of the pages about the service lead to existing files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / name for name in ("architecture.md", "events.md", "http.md", "operations.md")]


@pytest.mark.parametrize(
    "target", sorted({link for page in PAGES for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))})
)
def test_a_link_of_the_page_exists(target: str) -> None:
    assert (DOCS / target).is_file()
