"""Functions in FROM, and functions that return sets in the target list."""

from __future__ import annotations

from sqlwright.prove.rules.scopes import Prover, Scope
from sqlwright.prove.rules.verdicts import Verdict, may_be_null, never_null
from sqlwright.prove.tree.enums import TypType
from sqlwright.prove.tree.expressions import location, returns_rows
from sqlwright.prove.tree.nodetree import Node, Unrecognised, walk
from sqlwright.prove.tree.querytree import RangeEntry

NON_NULL_SETS = frozenset(
    {
        "generate_series",
        "generate_subscripts",
        "json_array_elements",
        "json_each",
        "json_object_keys",
        "jsonb_array_elements",
        "jsonb_each",
        "jsonb_object_keys",
        "jsonb_path_query",
        "jsonb_path_query_tz",
        "regexp_matches",
        "regexp_split_to_table",
    }
)
"""Built-in functions, by name, that never put a NULL into a row of their set, whatever overload is meant."""


def function_column(prover: Prover, at: Scope, entry: RangeEntry, attribute: int, place: int | None) -> Verdict:
    """Judge a column of a function in FROM."""
    functions = entry.node.nodes("functions")
    width = sum(function.number("funccolcount") for function in functions)
    if attribute == width + 1 and entry.node.flag("funcordinality"):
        return never_null("WITH ORDINALITY counts the rows", place)
    if len(functions) != 1:
        return may_be_null("ROWS FROM fills the shorter functions up with NULLs", place)
    call = functions[0].node("funcexpr")
    if call.tag == "FUNCEXPR" and prover.facts.function(call.number("funcid")).returns_set:
        return set_member(prover, call, at, attribute - 1, width)
    if width != 1 or _is_row(prover, call):
        return may_be_null("a function that returns a row may return NULL or a row of NULLs", place)
    return prover.verdict(call, at)


def _is_row(prover: Prover, call: Node) -> bool:
    if call.tag != "FUNCEXPR":
        return False
    kind = prover.facts.type(call.number("funcresulttype"))
    return kind.kind in (TypType.COMPOSITE, TypType.PSEUDO) or (
        kind.kind is TypType.DOMAIN and prover.facts.type(kind.base).kind is TypType.COMPOSITE
    )


def set_member(prover: Prover, call: Node, scope: Scope, column: int, width: int) -> Verdict:
    """Judge one column of the rows of a set-returning function."""
    function = prover.facts.function(call.number("funcid"))
    place = location(call)
    arguments = call.nodes("args")
    if function.builtin and function.name in NON_NULL_SETS:
        return never_null(f"`{function.name}` never returns a row with NULL", place, element_nullable=function.name == "regexp_matches")
    if function.builtin and function.name in ("json_each_text", "jsonb_each_text") and column == 0:
        return never_null(f"the keys that `{function.name}` returns are never NULL", place)
    if function.signature == "string_to_table(text, text)":
        return never_null("`string_to_table` without a string for NULL never returns NULL", place)
    if function.signature == "unnest(anymultirange)":
        return never_null("the ranges in a multirange are never NULL", place)
    if function.signature == "unnest(anyarray)" and width == 1 and not _is_row(prover, call):
        array = prover.verdict(arguments[0], scope)
        if not array.element_nullable:
            return never_null("the elements of the array are not NULL", place)
        return may_be_null("the array may hold NULL", place)
    return may_be_null(f"`{function.name}` may return NULL in its rows", place)


def in_target_list(prover: Prover, call: Node, scope: Scope) -> Verdict:
    """Judge a set-returning function in the target list. With two of them, the shorter set is filled up with NULLs."""
    sets = 0
    for target in scope.query.targets:
        for node in walk(target.expression):
            if returns_rows(node):
                sets += 1
    if sets == 0:
        raise Unrecognised("a set-returning function outside of the target list")
    if sets > 1:
        return may_be_null("with several set-returning functions, the shorter sets are filled up with NULLs", location(call))
    return set_member(prover, call, scope, 0, 2 if _is_row(prover, call) else 1)
