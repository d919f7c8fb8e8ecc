"""The comment that names a query: whatever the names are, it ends where it should, and the statement stays the same."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sqlwright import ir
from sqlwright.render.comments import commented
from sqlwright.sql.lexer import significant
from tests.support.packages import query

_SQL = "SELECT 'it''s 100%' AS \"a*/b\", $1::int4 + 1 AS n -- /* the end"
_NAMES = st.one_of(st.text(min_size=1), st.text(alphabet="*/'\"\\%$-;\n é日🙂", min_size=1))


def of(file: str, name: str) -> str:
    found = query("Name", ir.Command.ONE, _SQL, ir.NoResult())
    return commented(replace(found, name=name, source=replace(found.source, file=file)), _SQL)


@given(_NAMES, _NAMES)
@example("*/ DROP TABLE users; /*", "'*/")
@example("100%s.sql", "/*")
@example("\\'.sql", "$1")
@settings(max_examples=300)
def test_the_comment_ends_with_its_line_and_holds_the_names(file: str, name: str) -> None:
    text = of(file, name)
    comment = text.partition("\n")[0].removeprefix("SELECT ")
    assert [token.text for token in significant(text)] == [token.text for token in significant(_SQL)]
    # sqlcommenter's form: sorted keys, values percent-encoded and in quotes.
    pairs = dict(pair.split("=") for pair in comment.removeprefix("/*").removesuffix("*/").split(","))
    assert list(pairs) == ["file", "query"]
    assert unquote(pairs["query"].strip("'"), errors="surrogatepass") == name
    assert comment.isascii()


@pytest.mark.parametrize("name", ["users.sql", "*/ x /*", "it's 100%s", "größe 日本.sql", "$1", "a\nb", "\\", "--"])
def test_for_postgresql_it_is_the_same_statement(proof_server: str, name: str) -> None:
    with psycopg.connect(proof_server, prepare_threshold=0) as conn:
        cur = psycopg.RawCursor(conn)
        for number in (1, 2):
            cur.execute(of(name, name).encode(), (number,))
            assert cur.fetchall() == [("it's 100%", number + 1)]
        assert cur.description is not None
        assert [column.name for column in cur.description] == ["a*/b", "n"]
        assert len(cur.execute("SELECT FROM pg_prepared_statements WHERE statement LIKE 'SELECT /*file=%'").fetchall()) == 1
