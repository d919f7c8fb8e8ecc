"""Annotations outside of every query's comment, which would be ignored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from sqlwright.diagnostics import Code, Diagnostic
from sqlwright.sql.annotations import annotation_word
from sqlwright.sql.lexer import Kind, tokenize
from sqlwright.sql.sources import QuerySource

_LIKE_ANNOTATION = re.compile(r"(?:--|/\*|^\s*\*?)\s*@\w", re.MULTILINE)
_BLOCK_LINE = re.compile(r"^[ \t]*(?:/\*+)?[ \t*]*(?P<said>@.*?)[ \t]*(?:\*+/)?[ \t\r]*$", re.MULTILINE)


def check_strays(sources: Iterable[QuerySource]) -> list[Diagnostic]:
    """Report annotations that are in no query's comment; `sources` are the queries of all files, in order."""
    found: list[Diagnostic] = []
    for _, members in groupby(sources, key=lambda source: source.file):
        queries = [source for source in members if not source.sqlc_only]
        read = {number for source in queries for number in source.doc_lines}
        for source in queries:
            found += _strays(replace(source, text=source.before, text_line=1), read)
            found += _strays(source, read)
    return found


def _strays(source: QuerySource, read: set[int]) -> Iterator[Diagnostic]:
    if not _LIKE_ANNOTATION.search(source.text):
        return
    for offset, text, in_block in _comment_lines(source.text):
        word = annotation_word(text)
        place = source.place_at(offset, len(text.rstrip())) if word else None
        if place is not None and place.line not in read:
            cure = "write it directly above or below the query's name line, without an empty line between them."
            if word == "sqlc-only":
                cure = "write it before the first statement of the file."
            if in_block:
                cure = f"annotations are in comments of two dashes, `-- {text}`: {cure}"
            yield Diagnostic(Code.MISPLACED_ANNOTATION, f"@{word} is not in the comment of a query, and would be ignored", place, help=cure)


def _comment_lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Return the comments, with their offsets: those of two dashes, and the lines that begin with `@` in block comments."""
    for token in tokenize(text):
        if token.kind is Kind.LINE_COMMENT:
            yield token.start, token.text, False
        elif token.kind is Kind.BLOCK_COMMENT:
            for line in _BLOCK_LINE.finditer(token.text):
                yield token.start + line.start("said"), line["said"], True
