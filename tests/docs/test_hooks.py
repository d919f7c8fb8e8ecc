"""The hooks of the documentation site: links that lead out of it, and what its pages load."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from docs.hooks import on_page_markdown, on_post_page, on_pre_build


@dataclass
class File:
    """A file of the documentation, as mkdocs passes it."""

    src_uri: str = "page.md"


@dataclass
class Page:
    """A page, as mkdocs passes it."""

    file: File = field(default_factory=File)


def test_a_link_to_a_file_of_the_repository_shows_its_path(caplog: pytest.LogCaptureFixture) -> None:
    text = "[`pipeline.py`](../src/sqlwright/pipeline.py), [the stages](../src/sqlwright/pipeline.py#L1), [types](types.md)"
    shown = on_page_markdown(text, Page(), None, None)
    assert shown == "`src/sqlwright/pipeline.py`, the stages (`src/sqlwright/pipeline.py`), [types](types.md)"
    assert not caplog.messages


def test_a_link_to_a_missing_file_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    on_page_markdown("[gone](../src/gone.py)", Page(), None, None)
    assert caplog.messages == ["page.md links to ../src/gone.py, which does not exist"]


def test_links_in_code_blocks_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    text = "before\n\n```md\n[gone](../src/gone.py)\n```\n\nafter"
    assert on_page_markdown(text, Page(), None, None) == text
    assert not caplog.messages


def test_the_pages_outside_of_the_site_have_no_broken_links(caplog: pytest.LogCaptureFixture) -> None:
    on_pre_build(None)
    assert not caplog.messages


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://cdn.example/x.js">',
        '<img alt="" src="//cdn.example/x.png">',
        '<link rel="stylesheet" href="https://fonts.example/x.css">',
    ],
)
def test_a_page_that_loads_from_another_host_is_a_warning(tag: str, caplog: pytest.LogCaptureFixture) -> None:
    assert on_post_page(tag, Page(), None) == tag
    assert len(caplog.messages) == 1


def test_a_page_may_link_to_other_hosts_and_load_its_own_files(caplog: pytest.LogCaptureFixture) -> None:
    on_post_page('<a href="https://example.org"><script src="assets/x.js"><link rel="stylesheet" href="assets/x.css">', Page(), None)
    assert not caplog.messages
