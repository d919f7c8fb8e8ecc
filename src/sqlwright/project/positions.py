"""Places in a query file of which sqlc reports a line."""

from __future__ import annotations

import re
from bisect import bisect_right

from sqlwright.diagnostics import Place
from sqlwright.sql.sources import QuerySource, split_queries


def query_at(name: str, text: str, line: int) -> QuerySource | None:
    """Return the query that a line of sqlc's refers to: the one around it; the first one for the first line, which may be its comment."""
    queries = split_queries(name, text)
    return next((query for query in reversed(queries) if query.line <= line), queries[0] if queries else None)


def place_at(name: str, text: str, offset: int, width: int = 1) -> Place:
    """Return the place of a character of a file, `offset` counted from 0."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    index = bisect_right(starts, offset) - 1
    return Place(name, index + 1, offset - starts[index] + 1, text[starts[index] :].split("\n", 1)[0].rstrip("\r"), width)
