"""The comment in a statement that names its query to those who watch the server: sqlcommenter's form, always the same text."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote

from sqlwright import ir


def commented(query: ir.Query, sql: str) -> str:
    """Return the SQL behind a comment with the query's file and name.

    It is in front, where `pg_stat_activity` does not cut it off. Percent-encoding leaves no character that could end the comment, begin
    another one, or be read as a placeholder.
    """
    tags = {"file": PurePosixPath(query.source.file).name, "query": query.name}
    pairs = ",".join(f"{key}='{_encoded(tags[key])}'" for key in sorted(tags))
    return f"/*{pairs}*/\n{sql}"


def _encoded(value: str) -> str:
    return quote(value, safe="", errors="surrogatepass")
