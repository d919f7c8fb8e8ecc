"""The stage `assemble`: from the queries and their proofs to row classes, result types and claims."""

from __future__ import annotations

from typing import Any

import pytest

from sqlwright import ir
from sqlwright.assemble.package import assemble
from sqlwright.ir.proofs import Enum, ProvenColumn, ProvenEmbed, QueryProof, Table
from tests.support.stages import column, options, param, proof, proofs, resolved, sources, table, unproven, wire, wire_param

USERS = table("users", id="int4", name="text", nick="text?")
EVERYTHING = (column("id", "int4", table="users"), column("name", table="users"), column("nick", nullable=True, table="users"))


def assembled(
    header: str, found: QueryProof, *, tables: tuple[Table, ...] = (USERS,), enums: tuple[Enum, ...] = (), **given: Any
) -> ir.Package:
    """The package of one query, `A`, under these lines of its comment."""
    return assemble(unproven(f"-- name: A {header}\nSELECT 1;\n"), proofs(tables, enums, A=found), options(**given))


def result(package: ir.Package) -> ir.Result:
    """The result of the only query."""
    return package.modules[0].queries[0].result


def row(package: ir.Package) -> ir.RowRef:
    """The rows that the only query returns."""
    found = ir.shape_of(result(package))
    assert isinstance(found, ir.RowRef)
    return found


def test_all_columns_of_a_table_are_rows_of_its_class() -> None:
    package = assembled(":many", proof(*EVERYTHING))
    assert (row(package).row_class, row(package).shared) == ("User", True)
    assert [(model.name, [field.name for field in model.fields]) for model in package.models] == [("User", ["id", "name", "nick"])]
    assert package.modules[0].row_classes == ()


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param(EVERYTHING[:2], id="one is missing"),
        pytest.param((EVERYTHING[1], EVERYTHING[0], EVERYTHING[2]), id="another order"),
        pytest.param((*EVERYTHING[:2], column("nick", nullable=True)), id="a value of the same name"),
        pytest.param((*EVERYTHING[:1], column("name", nullable=True, table="users"), EVERYTHING[2]), id="an outer join makes one NULL"),
    ],
)
def test_anything_else_has_a_class_of_its_own_and_needs_no_model(columns: tuple[ProvenColumn, ...]) -> None:
    package = assembled(":many", proof(*columns))
    assert (row(package).row_class, row(package).shared) == ("ARow", False)
    assert [own.name for own in package.modules[0].row_classes] == ["ARow"]
    assert package.models == ()


@pytest.mark.parametrize(
    ("header", "given", "own"),
    [
        (":many", {}, "User"),
        (":many\n-- @narrow", {}, "ARow"),
        (":many", {"narrow_rows": True}, "ARow"),
        (":many\n-- @notnull nick everybody has one", {}, "ARow"),
    ],
)
def test_a_row_that_proves_more_than_its_table_is_of_the_tables_class_until_the_narrower_one_is_asked_for(
    header: str, given: dict[str, Any], own: str
) -> None:
    package = assembled(header, proof(*EVERYTHING[:2], column("nick", table="users")), **given)
    assert row(package).row_class == own
    assert isinstance(row(package).fields[2].type, ir.Scalar)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("header", "rows", "always"),
    [
        (":one", ir.Cardinality.EXACTLY_ONE, True),
        (":one", ir.Cardinality.AT_MOST_ONE, False),
        (":one", ir.Cardinality.MANY, False),
        (":one\n-- @one exactly the migration inserts it", ir.Cardinality.AT_MOST_ONE, True),
        (":one\n-- @one first any will do", ir.Cardinality.MANY, False),
    ],
)
def test_a_row_is_always_there_where_that_is_proven_or_claimed(header: str, rows: ir.Cardinality, always: bool) -> None:
    found = result(assembled(header, proof(column("n", "int4"), rows=rows)))
    assert isinstance(found, ir.One)
    assert found.always is always
    assert isinstance(found.shape, ir.BareValue)


def test_a_claim_that_is_not_proven_is_in_the_docstring() -> None:
    (query,) = assembled(":many\n-- Doc.\n-- @notnull nick set at sign-up", proof(*EVERYTHING)).modules[0].queries
    assert query.doc == ("Doc.", "", "Claimed, not proven: `nick` is never None (set at sign-up).")


def test_a_column_may_be_none_as_proven_or_claimed() -> None:
    columns = (column("a", nullable=True), column("b"), column("c"), column("d!", nullable=True), column("e?"))
    fields = row(assembled(":many\n-- @nullable c it may be", proof(*columns))).fields
    assert [(field.name, isinstance(field.type, ir.Nullable)) for field in fields if isinstance(field, ir.Column)] == [
        ("a", True),
        ("b", False),
        ("c", True),
        ("d", False),
        ("e", True),
    ]


def test_columns_of_one_name_are_numbered() -> None:
    fields = row(assembled(":many", proof(column("id"), column("id"), column("id_2")))).fields
    assert [(field.name, field.numbered) for field in fields] == [("id", False), ("id_3", True), ("id_2", False)]


def test_an_embedded_row_is_one_field_of_its_tables_class() -> None:
    found = sources("-- name: A :many\nSELECT 1 AS n, sqlc.embed(u) FROM users u;\n")
    embed = ProvenEmbed(first=1, schema="public", table="users", columns=("id", "name", "nick"), absent=True, witness=0)
    given = proofs((USERS,), A=proof(column("n", "int4"), *EVERYTHING, embeds=(embed,)))
    package = assemble(resolved((wire(found["A"]),), found), given, options())
    number, user = row(package).fields
    assert isinstance(number, ir.Column)
    assert isinstance(user, ir.Embedded)
    assert (user.name, user.row_class, user.optional) == ("u", "User", True)
    assert [model.name for model in package.models] == ["User"]


def test_more_parameters_than_the_limit_are_one_object() -> None:
    found = sources("-- name: A :exec\nUPDATE users SET name = @name WHERE id = @id;\n")
    said = (wire_param(1, "name", "text", named=True), wire_param(2, "id", named=True))
    given = proofs((USERS,), A=proof(params=(param("text", nullable=True), param())))
    for limit, own in ((1, "AParams"), (2, None)):
        (query,) = (
            assemble(resolved((wire(found["A"], params=said),), found), given, options(query_parameter_limit=limit)).modules[0].queries
        )
        assert query.params_class == own
        assert [(each.name, isinstance(each.type, ir.Nullable)) for each in query.params] == [("name", True), ("id", False)]


def test_only_types_in_use_are_generated_until_all_are_asked_for() -> None:
    moods = (Enum("public", "mood", "mood", ("sad", "very happy"), ""), Enum("public", "unused", "unused", ("x",), ""))
    few = assembled(":many", proof(column("m", "mood[]"), column("n")), enums=moods)
    assert ([enum.name for enum in few.enums], [each.name for each in few.models]) == (["Mood"], [])
    assert few.enums[0].members == (("SAD", "sad"), ("VERY_HAPPY", "very happy"))
    # The enum must be registered with psycopg if it occurs in an array.
    assert [each.class_name for each in few.registrations] == ["Mood"]
    every = assembled(":many", proof(column("m", "mood[]"), column("n")), enums=moods, omit_unused_models=False)
    assert ([enum.name for enum in every.enums], [each.name for each in every.models]) == (["Mood", "Unused"], ["User"])
