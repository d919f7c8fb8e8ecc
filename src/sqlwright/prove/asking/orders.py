"""Orders of `@order` that are refused: what PostgreSQL says of one, and what to write instead."""

from __future__ import annotations

from typing import Any

import psycopg

from sqlwright.prove.asking.describe import Refused
from sqlwright.prove.asking.suggestions import suggest


def why_refused(connection: psycopg.Connection[Any], sql: str, refused: Refused) -> tuple[str, str, int | None]:
    """Return what is wrong with a statement in another order that PostgreSQL refuses, how to fix it, and the place in the statement."""
    offset, suggestion = suggest(connection, sql, refused)
    cure = suggestion or refused.hint or "sort by columns that the query can see, each with ASC or DESC and NULLS FIRST or LAST."
    return f"PostgreSQL refuses it: {refused.message}", cure, offset
