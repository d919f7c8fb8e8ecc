"""Hooks of mkdocs: links to files of the repository, which are not part of the site, and what pages load.

A link to a file that does not exist is a warning, which `mkdocs build --strict` turns into a failure. Any other becomes the file's path,
since the site does not know where the repository is published.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Protocol

_LOG = logging.getLogger("mkdocs.hooks.repository")
_DOCS = Path(__file__).parent
_ROOT = _DOCS.parent
# Pages that mkdocs does not read; their links are checked all the same.
_OTHER_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
_CODE_BLOCK = re.compile(r"^([ \t]*)```.*?^\1```", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_FOREIGN = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*\b(?:src|rel="stylesheet"[^>]*href)=["']?(?:https?:)?//[^\s"'>]+""")
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)#\s]+)(?:#[^)\s]*)?\)")


class _File(Protocol):
    @property
    def src_uri(self) -> str: ...


class _Page(Protocol):
    @property
    def file(self) -> _File: ...


def on_pre_build(config: object) -> None:
    """Check the links of the pages outside of the documentation's folder."""
    del config
    for name in _OTHER_PAGES:
        for link in _LINK.finditer(_CODE_BLOCK.sub("", (_ROOT / name).read_text(encoding="utf-8"))):
            _check(name, _ROOT, link["target"])


def on_page_markdown(markdown: str, page: _Page, config: object, files: object) -> str:
    """Check the links that lead out of the documentation, and show the paths instead."""
    del config, files
    shown: list[str] = []
    end = 0
    for block in _CODE_BLOCK.finditer(markdown):
        shown += [_without_links(page.file.src_uri, markdown[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*shown, _without_links(page.file.src_uri, markdown[end:])])


def on_post_page(output: str, page: _Page, config: object) -> str:
    """Check that a page loads nothing from other hosts."""
    del config
    for found in _FOREIGN.finditer(output):
        _LOG.warning("%s loads from another host: %s", page.file.src_uri, found[0])
    return output


def _without_links(name: str, text: str) -> str:
    def path(link: re.Match[str]) -> str:
        if not link["target"].startswith("../"):
            return link[0]
        _check(name, _DOCS, link["target"])
        file = link["target"].removeprefix("../")
        is_part_of_path = file.rstrip("/").endswith(link["text"].strip("`").rstrip("/"))
        return f"`{file}`" if is_part_of_path else f"{link['text']} (`{file}`)"

    # GitHub needs the backslash before a pipe in a table's code; Python-Markdown would show it.
    return _CODE.sub(lambda code: code[0].replace(r"\|", "|"), _LINK.sub(path, text))


def _check(name: str, folder: Path, target: str) -> None:
    if "://" not in target and not (folder / target).exists():
        _LOG.warning("%s links to %s, which does not exist", name, target)
