"""Literals and docstrings say what they were given, for any text."""

from __future__ import annotations

import ast
import inspect

from hypothesis import example, given
from hypothesis import strategies as st

from sqlwright.render.docstrings import docstring
from sqlwright.render.literals import sql_literal, string_literal

_TEXT = st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("\"'\\\n\t \r\0")))


@given(_TEXT)
def test_a_string_literal_is_its_text_on_one_line(text: str) -> None:
    literal = string_literal(text)
    assert ast.literal_eval(literal) == text
    assert len(literal.splitlines()) == 1


@given(_TEXT)
@example("SELECT E'\\n', '\"\"\"'")
@example('"a"\\')
@example("SELECT 'a\\_b'")
@example("a\r\nb")
def test_a_sql_literal_is_its_text_with_one_newline_at_the_end(text: str) -> None:
    assert ast.literal_eval(sql_literal(text)) == text.rstrip("\n") + "\n"


def test_sql_with_backslashes_stays_readable() -> None:
    assert sql_literal(r"SELECT '\d+'") == 'r"""SELECT \'\\d+\'\n"""'


@given(st.lists(_TEXT, max_size=5))
@example(['"'])
@example(['say "hi"'])
@example(["ends in \\"])
@example(['"""', '"""'])
@example(['\\"'])
@example(["A sentence.", "  indented", "", "more"])
def test_a_docstring_keeps_every_visible_character(lines: list[str]) -> None:
    source = "\n".join(["def f():", *docstring(["x", *lines], 1)])
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    written = inspect.cleandoc(ast.get_docstring(function) or "")
    assert "".join(written.split()) == "".join("\n".join(["x", *lines]).split())


def test_a_first_sentence_is_parted_from_the_rest() -> None:
    assert docstring(["Get a user.", "By id."], 0) == ['"""Get a user.', "", "By id.", '"""']


def test_a_sentence_over_two_lines_is_left_alone() -> None:
    assert docstring(["Get a user", "by id."], 0) == ['"""Get a user', "by id.", '"""']
