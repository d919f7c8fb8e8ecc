"""The comment in a statement that names its query to those who watch the server: sqlcommenter's form, always the same text."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote

from sqlwright import ir
from sqlwright.sql.lexer import significant


def commented(query: ir.Query, sql: str) -> str:
    """Return the SQL with a comment behind its first word that has the query's file and name.

    There neither `pg_stat_activity`, which cuts a long text off, nor `pg_stat_statements`, which drops what stands in front of a
    statement, loses it. Percent-encoding leaves no character that could end the comment, begin another one, or be read as a placeholder.
    """
    tags = {"file": PurePosixPath(query.source.file).name, "query": query.name}
    pairs = ",".join(f"{key}='{_encoded(tags[key])}'" for key in sorted(tags))
    first = next(iter(significant(sql)))
    end = first.start + len(first.text)
    rest = sql[end:].lstrip(" ")
    return f"{sql[:end]} /*{pairs}*/{'' if rest.startswith(chr(10)) else f'{chr(10)}    '}{rest}"


def _encoded(value: str) -> str:
    return quote(value, safe="", errors="surrogatepass")
