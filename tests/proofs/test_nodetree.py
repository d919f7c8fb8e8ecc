"""The reader of PostgreSQL's tree text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sqlwright.prove.tree.nodetree import Node, Unrecognised, parse, unescape, walk


def node(text: str) -> Node:
    tree = parse(text)
    assert isinstance(tree, Node)
    return tree


def test_a_node_has_a_tag_and_fields() -> None:
    var = node("{VAR :varno 1 :varattno -2 :flag true :name <>}")
    assert (var.tag, var.number("varno"), var.number("varattno"), var.flag("flag")) == ("VAR", 1, -2, True)
    assert not var.has("name")
    assert var.text("name") == ""


def test_lists_nest_and_hold_nodes() -> None:
    tree = node("{Q :rows (({A :x 1} {B :x 2}) ({C :x 3}))}")
    rows = tree.items("rows")
    assert [[n.tag for n in row if isinstance(n, Node)] for row in rows if isinstance(row, list)] == [["A", "B"], ["C"]]


def test_sets_of_numbers_have_a_kind_in_front() -> None:
    tree = node("{Q :bits (b 3 70) :ints (i 1 2) :oids (o 23) :none <> :empty (b)}")
    assert [tree.numbers(name) for name in ("bits", "ints", "oids", "none", "empty")] == [[3, 70], [1, 2], [23], [], []]


@pytest.mark.parametrize("character", ["\u00a0", "\u2003", "\x85", "\r", "\x0b", "\x1c"])
def test_a_name_may_hold_what_only_python_takes_for_white_space(character: str) -> None:
    # pg_strtok ends a token at a space, a newline or a tab, and outToken escapes those.
    assert node(f"{{ALIAS :aliasname a{character}b :x 1}}").text("aliasname") == f"a{character}b"


def test_names_lose_their_escapes_and_quotes() -> None:
    tree = node(r'{ALIAS :aliasname odd\ \{name\} :colnames ("a" "b\ c" "\"")}')
    assert tree.text("aliasname") == "odd {name}"
    assert tree.names("colnames")[:2] == ["a", "b c"]


def test_a_line_broken_inside_of_an_escaped_space_is_a_space_again() -> None:
    assert unescape("two\\\nwords") == "two words"


def test_a_value_that_looks_like_a_label_is_a_value() -> None:
    tree = node("{TARGETENTRY :resname :colon :resno 2}")
    assert (tree.text("resname"), tree.number("resno")) == (":colon", 2)


def test_the_bytes_of_a_constant_are_one_value() -> None:
    tree = node("{CONST :constvalue 4 [ 1 0 -1 0 ] :location 7}")
    assert tree.raw("constvalue") == ["4", "1", "0", "-1", "0"]
    assert tree.number("location") == 7


@pytest.mark.parametrize("text", ["", "{", "(", "{VAR :a", "{VAR a 1}", "{VAR :a 1} {VAR}", "}", ")", "{CONST :v 1 [ 2", "{A :b }"])
def test_a_broken_tree_is_not_recognised(text: str) -> None:
    with pytest.raises(Unrecognised):
        parse(text)


@pytest.mark.parametrize(
    ("read", "field"),
    [
        (Node.raw, "missing"),
        (Node.number, "word"),
        (Node.number, "list"),
        (Node.flag, "number"),
        (Node.node, "number"),
        (Node.optional, "list"),
        (Node.items, "word"),
        (Node.nodes, "list"),
        (Node.numbers, "list"),
        (Node.names, "nodes"),
        (Node.text, "list"),
    ],
)
def test_a_field_of_another_shape_is_not_recognised(read: Callable[[Node, str], object], field: str) -> None:
    tree = node("{N :number 1 :word abc :list (a b) :nodes ({M :x 1})}")
    with pytest.raises(Unrecognised):
        read(tree, field)


def test_deep_nesting_is_not_recognised_instead_of_a_crash() -> None:
    with pytest.raises(Unrecognised):
        parse("(" * 100_000)


def test_walk_yields_every_node_outermost_first() -> None:
    assert [n.tag for n in walk(parse("{A :x {B :y 1} :z ({C :y 1} ({D :y 2}))}"))] == ["A", "B", "C", "D"]
