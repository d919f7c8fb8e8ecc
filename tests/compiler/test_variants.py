"""Variants as text: where statements are cut, what remains of them, and that the generated module writes the same."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import pytest

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.variants import variants_constant, variants_module
from sqlwright.sql.variants import (
    Cut,
    Ordering,
    cut_assignments,
    cut_conditions,
    find_ordering,
    original_offset,
    pieces,
    switched,
    write_variant,
)
from tests.support.packages import query


def without(sql: str, *omitted: int, optional: frozenset[int] = frozenset({1, 2}), count: int = 2) -> str:
    """A statement whose conditions with parameters of these numbers leave."""
    return write_variant(sql, Cut(cut_conditions(sql, optional)), count, set(omitted)).sql


@pytest.mark.parametrize(
    ("sql", "first", "second", "neither"),
    [
        ("SELECT 1 WHERE a = $1 AND b = $2", "SELECT 1 WHERE b = $1", "SELECT 1 WHERE a = $1", "SELECT 1"),
        (
            "SELECT 1 WHERE $1 AND c AND $2 LIMIT 1",
            "SELECT 1 WHERE c AND $1 LIMIT 1",
            "SELECT 1 WHERE $1 AND c LIMIT 1",
            "SELECT 1 WHERE c LIMIT 1",
        ),
        (
            "SELECT 1 WHERE a BETWEEN $1 AND 2 AND b NOT BETWEEN SYMMETRIC 1 AND $2",
            "SELECT 1 WHERE b NOT BETWEEN SYMMETRIC 1 AND $1",
            "SELECT 1 WHERE a BETWEEN $1 AND 2",
            "SELECT 1",
        ),
        (
            "SELECT 1 WHERE CASE WHEN a AND $1 THEN b AND c END AND ARRAY[d AND $2][1]",
            "SELECT 1 WHERE ARRAY[d AND $1][1]",
            "SELECT 1 WHERE CASE WHEN a AND $1 THEN b AND c END",
            "SELECT 1",
        ),
        (
            """SELECT 1 WHERE a = $1 || ' AND $2 ' AND "x AND y" = $2 AND b = $$ AND $$""",
            """SELECT 1 WHERE "x AND y" = $1 AND b = $$ AND $$""",
            """SELECT 1 WHERE a = $1 || ' AND $2 ' AND b = $$ AND $$""",
            "SELECT 1 WHERE b = $$ AND $$",
        ),
        (
            "SELECT 1 -- WHERE\n  WHERE a = $1 -- AND b\n  AND t.order = $2 /* AND */\nORDER BY 1",
            "SELECT 1 -- WHERE\n  WHERE t.order = $1 /* AND */\nORDER BY 1",
            "SELECT 1 -- WHERE\n  WHERE a = $1 /* AND */\nORDER BY 1",
            "SELECT 1 -- WHERE\n   /* AND */\nORDER BY 1",
        ),
        (
            "WITH a AS (SELECT 1 WHERE $1) SELECT 1 FROM (SELECT 1 FROM a WHERE $2 UNION SELECT 2 WHERE c) s GROUP BY 1",
            "WITH a AS (SELECT 1) SELECT 1 FROM (SELECT 1 FROM a WHERE $1 UNION SELECT 2 WHERE c) s GROUP BY 1",
            "WITH a AS (SELECT 1 WHERE $1) SELECT 1 FROM (SELECT 1 FROM a UNION SELECT 2 WHERE c) s GROUP BY 1",
            "WITH a AS (SELECT 1) SELECT 1 FROM (SELECT 1 FROM a UNION SELECT 2 WHERE c) s GROUP BY 1",
        ),
        (
            "UPDATE t SET a = 1 WHERE b\n  AND $1\n  AND c IS DISTINCT FROM $2 RETURNING a",
            "UPDATE t SET a = 1 WHERE b\n  AND c IS DISTINCT FROM $1 RETURNING a",
            "UPDATE t SET a = 1 WHERE b\n  AND $1 RETURNING a",
            "UPDATE t SET a = 1 WHERE b RETURNING a",
        ),
    ],
)
def test_conditions_leave_with_their_parameters(sql: str, first: str, second: str, neither: str) -> None:
    assert (without(sql), without(sql, 1), without(sql, 2), without(sql, 1, 2)) == (sql.replace(" -- AND b\n ", ""), first, second, neither)


def test_a_parameter_takes_all_of_its_conditions_and_the_others_are_numbered_anew() -> None:
    sql = "SELECT $3 WHERE a = $1 AND b = $2 AND c > $1 AND d = $3"
    assert without(sql, 1, count=3) == "SELECT $2 WHERE b = $1 AND d = $2"
    assert write_variant(sql, Cut(cut_conditions(sql, {1, 2})), 3, {1}).params == (2, 3)


def test_parameters_that_share_a_condition_form_a_group() -> None:
    sql = "SELECT 1 WHERE a BETWEEN $1 AND $2 AND b = $3 AND c IN ($2, $4) AND d = $5"
    assert Cut(cut_conditions(sql, {1, 2, 3, 4})).groups == ((1, 2, 4), (3,))


@pytest.mark.parametrize(
    ("sql", "named", "written"),
    [
        ("UPDATE t SET a = $1::text, b = b + 1, c = $2 WHERE id = $3", None, "UPDATE t SET b = b + 1, c = $1 WHERE id = $2"),
        ("WITH x AS (SELECT 1) UPDATE t SET a = $1, b = $2 + 1 FROM x", None, "WITH x AS (SELECT 1) UPDATE t SET b = $1 + 1 FROM x"),
        ("UPDATE t SET a = lower($1), b = (SELECT 1 FROM x WHERE y), c = $2", {1}, "UPDATE t SET b = (SELECT 1 FROM x WHERE y), c = $1"),
        ("UPDATE t SET a = nullif($1, ''), b = b + $2 WHERE id = $3", None, "UPDATE t SET b = b + $1 WHERE id = $2"),
        ("UPDATE t SET a = ($1)::text || $3, b = $2 WHERE id = $3", None, "UPDATE t SET b = $1 WHERE id = $2"),
        ("UPDATE t SET a = $1 IS DISTINCT FROM b, c = 1 RETURNING a", {1}, "UPDATE t SET c = 1 RETURNING a"),
    ],
)
def test_assignments_leave_with_their_parameters(sql: str, named: set[int] | None, written: str) -> None:
    clause = cut_assignments(sql, named)
    assert clause
    assert write_variant(sql, Cut((clause,)), 3, {1}).sql == written


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "UPDATE t SET a = 1",
        "UPDATE t SET a = $1 + 1 WHERE b = $1",
        "INSERT INTO t VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = $1",
    ],
)
def test_a_statement_without_assignments_of_parameters_is_not_cut(sql: str) -> None:
    assert cut_assignments(sql, None) is None


@pytest.mark.parametrize(
    ("sql", "by"),
    [
        ("SELECT a FROM (SELECT 1 ORDER BY x) s ORDER BY a DESC, lower(b) NULLS LAST LIMIT 1", "a DESC, lower(b) NULLS LAST"),
        ("SELECT row_number() OVER (ORDER BY x) FROM t ORDER BY a FOR UPDATE", "a"),
        ("SELECT 1 UNION SELECT 2 ORDER BY 1", "1"),
        ("SELECT a.order FROM a", None),
    ],
)
def test_the_order_of_the_statement_itself_is_found(sql: str, by: str | None) -> None:
    span = find_ordering(sql)
    assert (sql[slice(*span)] if span else None) == by


def test_switches_stand_beside_the_conditions_and_places_are_found_again() -> None:
    sql = "UPDATE t SET a = $1, b = 2 WHERE c = $2 AND d"
    clause = cut_assignments(sql, None)
    assert clause
    text, inserted = switched(sql, Cut((clause, *cut_conditions(sql, {2}))), 2, '"t"')
    assert text == ('UPDATE t SET a = CASE WHEN $3::bool THEN ($1) ELSE "t".a END, b = 2 WHERE ((c = $2) OR $4::bool) AND d')
    for piece in ("$1", "b = 2", "WHERE", "c = $2", "AND d"):
        assert original_offset(text.index(piece), inserted) == sql.index(piece)


def written_by_the_module(sql: str, cut: Cut, names: tuple[str, ...]) -> Any:
    """The generated constant of a query with these pieces."""
    found = query("Find", ir.Command.MANY, sql, ir.NoResult(), (), **dict.fromkeys(names, "int4"))
    varied = ir.Variants(pieces(sql, cut), cut.optional, tuple(ir.Order(name, "") for name in cut.orders))
    builder = ModuleBuilder(header="", doc="One constant.", taken=())
    lines = variants_constant(builder, ".", found, varied)
    names_of_module: dict[str, Any] = {}
    exec(variants_module(), names_of_module)  # noqa: S102 - generated code is what is tested
    exec("\n".join(lines).replace(": Final", ""), names_of_module)  # noqa: S102 - as above
    return names_of_module


def test_the_generated_module_writes_every_variant_as_the_compiler_does() -> None:
    sql = (
        "SELECT '{a}', $4\nFROM t -- {x}\nWHERE a = $1 AND b BETWEEN $2 AND $3 AND c = '{}{{$9'\n  AND d IN (SELECT '\\\"')\n"
        "ORDER BY a LIMIT $4"
    )
    ordering = find_ordering(sql)
    assert ordering
    cut = Cut(cut_conditions(sql, {1, 2, 3}), Ordering(*ordering, (("first", "a"), ("last", "a DESC, '{'"))))
    module = written_by_the_module(sql, cut, ("one", "two", "three", "four"))
    choose, unset = module["FIND"].choose, module["UNSET"]
    assert module["FIND"].sql == write_variant(sql, cut, 4).sql
    for omitted in chain.from_iterable(combinations(((1,), (2, 3)), count) for count in range(3)):
        numbers = {number for group in omitted for number in group}
        for order in ("first", "last"):
            wanted = write_variant(sql, cut, 4, numbers, order)
            given = tuple(unset if number in numbers else number * 10 for number in range(1, 5))
            # The second choice is looked up.
            for _ in range(2):
                assert choose(given, order) == (wanted.sql, tuple(number * 10 for number in wanted.params))


def test_the_generated_module_refuses_what_makes_no_statement() -> None:
    sql = "UPDATE t SET a = $1 WHERE b BETWEEN $2 AND $3 AND c = $4"
    clause = cut_assignments(sql, None)
    assert clause
    module = written_by_the_module(sql, Cut((clause, *cut_conditions(sql, {2, 3}))), ("a", "low", "high", "c"))
    choose, unset = module["FIND"].choose, module["UNSET"]
    with pytest.raises(ValueError, match=r"^query Find: nothing to set: pass at least one of a$"):
        choose((unset, 1, 2, 3))
    with pytest.raises(ValueError, match=r"^query Find: high needs low as well$"):
        choose((1, unset, 2, 3))
    with pytest.raises(TypeError, match=r"^query Find needs 'c'$"):
        choose((1, 1, 2, unset))


def test_the_generated_module_knows_its_orders_and_keeps_a_limited_number_of_choices() -> None:
    sql = "SELECT $1 ORDER BY a"
    ordering = find_ordering(sql)
    assert ordering
    module = written_by_the_module(sql, Cut((), Ordering(*ordering, (("first", "a"), ("last", "b")))), ("x",))
    with pytest.raises(ValueError, match=r"^query Find: there is no order 'a; DROP TABLE t', only first, last$"):
        module["FIND"].choose((1,), "a; DROP TABLE t")
    for number in range(1000):
        module["FIND"].choose((type(f"T{number}", (), {})(),), "last")
    assert len(module["FIND"]._choices) <= module["MAX_CHOICES"]
