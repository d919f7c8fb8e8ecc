"""Literals and docstrings reproduce any text."""

from __future__ import annotations

import ast
import inspect

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sqlwright.render.docstrings import docstring
from sqlwright.render.layout import LINE_LENGTH, Group, Keyword, Text, lay_out, width
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


_WORDS = st.lists(st.text(st.sampled_from("abcdeß-*\"\\'.é日"), min_size=1, max_size=30), min_size=1, max_size=60)


@given(_WORDS, st.integers(0, 2))
def test_the_lines_of_a_docstring_fit(words: list[str], depth: int) -> None:
    assert max(map(width, docstring([" ".join(words)], depth))) <= LINE_LENGTH


@pytest.mark.parametrize(
    ("lines", "wrapped"),
    [
        pytest.param(
            ["List the orders of a user, newest first, e.g. for a page. A page starts behind the key", "of the row before."],
            [
                "List the orders of a user, newest first, e.g. for a page.",
                "",
                "A page starts behind the key of the row before.",
            ],
            id="the first sentence stands alone",
        ),
        pytest.param(
            ["Summary.", "", "- an item of a list that is so long that it does not fit into the line, whatever one does", "- a short one"],
            [
                "Summary.",
                "",
                "- an item of a list that is so long that it does not fit into the line, whatever",
                "  one does",
                "- a short one",
            ],
            id="the items of a list stay apart",
        ),
        pytest.param(
            ["Get a user.", "A second line that does not fit: it is as long as nobody would have written it by hand, or so.", "", "End."],
            [
                "Get a user.",
                "",
                "A second line that does not fit: it is as long as nobody would have written it by",
                "hand, or so.",
                "",
                "End.",
            ],
            id="each paragraph by itself",
        ),
    ],
)
def test_long_lines_of_a_docstring_are_wrapped(lines: list[str], wrapped: list[str]) -> None:
    first, *rest = wrapped
    assert docstring(lines, 1) == [f'    """{first}', *(f"    {line}".rstrip() for line in rest), '    """']


@given(_WORDS, st.sampled_from(["", "name="]))
def test_a_long_text_is_cut_at_spaces_and_keeps_its_characters(words: list[str], prefix: str) -> None:
    text = " ".join(words)
    lines = lay_out(Group("call(", (Keyword("name", Text(text)) if prefix else Text(text),)), 1)
    assert max(map(width, lines)) <= LINE_LENGTH
    call = ast.parse("\n".join(line.removeprefix("    ") for line in lines), mode="eval").body
    assert isinstance(call, ast.Call)
    assert ast.literal_eval(call.keywords[0].value if prefix else call.args[0]) == text
