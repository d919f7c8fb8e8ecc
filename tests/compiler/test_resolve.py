"""The stage `resolve`: from what sqlc says of the queries to names, modules and the statement as it was written."""

from __future__ import annotations

import pytest

from sqlwright.diagnostics import CompileError
from sqlwright.resolve.protocol import WireColumn, WireIdentifier
from tests.support.stages import resolved, sources, unproven, wire, wire_param


def errors(text: str) -> list[str]:
    """The messages of a file that is refused, in order."""
    with pytest.raises(CompileError) as caught:
        unproven(text)
    return [diagnostic.message for diagnostic in caught.value.diagnostics]


def test_a_query_has_the_names_that_python_needs() -> None:
    (module,) = unproven("-- name: GetUserByEMail :one\nSELECT 1;\n").modules
    (query,) = module.queries
    assert (module.name, module.source_file) == ("users", "queries/users.sql")
    assert (query.function, query.constant) == ("get_user_by_e_mail", "GET_USER_BY_E_MAIL")
    assert (query.row_class, query.params_class) == ("GetUserByEMailRow", "GetUserByEMailParams")


def test_modules_are_sorted_and_queries_are_in_the_order_of_their_file() -> None:
    found = sources("-- name: B :exec\nSELECT 1;\n\n-- name: A :exec\nSELECT 2;\n", "q/z.sql")
    found |= sources("-- name: C :exec\nSELECT 3;\n", "q/a.sql")
    modules = resolved(tuple(map(wire, found.values())), found).modules
    assert [(module.name, [query.name for query in module.queries]) for module in modules] == [("a", ["C"]), ("z", ["B", "A"])]


def test_files_of_one_name_in_two_folders_are_one_module() -> None:
    found = sources("-- name: A :exec\nSELECT 1;\n", "a/users.sql") | sources("-- name: B :exec\nSELECT 1;\n", "b/users.sql")
    (module,) = resolved(tuple(map(wire, found.values())), found).modules
    assert (module.name, module.source_file, len(module.queries)) == ("users", "a/users.sql and b/users.sql", 2)


def test_stars_stay_and_named_parameters_get_the_numbers_of_sqlc() -> None:
    found = sources("-- name: A :many\nSELECT * FROM users WHERE id = @id AND name = sqlc.narg(name);\n")
    params = (wire_param(1, "name", "text", named=True), wire_param(2, "id", named=True))
    (query,) = resolved((wire(found["A"], params=params),), found).modules[0].queries
    assert query.sql == "SELECT * FROM users WHERE id = $2 AND name = $1"
    assert [(each.number, each.name, each.sqlc_type, each.optional) for each in query.params] == [
        (1, "name", "text", True),
        (2, "id", "int4", False),
    ]


def test_a_numbered_parameter_is_called_as_the_column_that_it_meets() -> None:
    found = sources("-- name: A :many\nSELECT 1 FROM users WHERE id > $1 AND id < $2 AND $3 = class AND $4;\n")
    params = (wire_param(1, "id"), wire_param(2, "id"), wire_param(3, "class"))
    (query,) = resolved((wire(found["A"], params=params),), found).modules[0].queries
    # sqlc does not mention the fourth.
    assert [(each.name, each.sqlc_type) for each in query.params] == [
        ("id", "int4"),
        ("id_2", "int4"),
        ("class_", "int4"),
        ("dollar_4", ""),
    ]


@pytest.mark.parametrize(
    ("schema", "name", "dimensions", "shown"),
    [
        ("pg_catalog", "int4", 0, "int4"),
        ("", "pg_catalog.int8", 1, "int8[]"),
        ("geo", "address", 2, "geo.address[][]"),
        ("", "any", 0, ""),
    ],
)
def test_a_type_is_written_as_sql_writes_it(schema: str, name: str, dimensions: int, shown: str) -> None:
    found = sources("-- name: A :many\nSELECT x FROM t;\n")
    columns = (WireColumn(name="x", not_null=True, array_dims=dimensions, type=WireIdentifier(schema_=schema, name=name)),)
    (query,) = resolved((wire(found["A"], columns=columns),), found).modules[0].queries
    assert [(each.sql_name, each.sqlc_type, each.sqlc_not_null) for each in query.columns] == [("x", shown, True)]


def test_an_embedded_row_is_a_star_of_the_statement_and_no_column() -> None:
    found = sources("-- name: A :many\nSELECT count(*), sqlc.embed(u) FROM users u;\n")
    columns = (WireColumn(name="count"), WireColumn(name="u", embed_table=WireIdentifier(name="users")))
    (query,) = resolved((wire(found["A"], columns=columns),), found).modules[0].queries
    assert query.sql == "SELECT count(*), u.* FROM users u"
    assert ([each.sql_name for each in query.columns], [(each.name, each.star) for each in query.embeds]) == (["count"], [("u", 1)])


def test_every_error_of_every_query_is_reported_at_once() -> None:
    text = """\
-- name: A :execlastid
INSERT INTO t DEFAULT VALUES;

-- name: B :fetch
SELECT 1;

-- name: C :one
-- @stream 10
SELECT 1;

-- name: D :copyfrom
INSERT INTO t (a) VALUES (lower($1));

-- name: E :one
-- @page
SELECT 1;

-- name: F :many
-- @page
-- @stream
SELECT 1;

-- name: G :batchmany
-- @page
SELECT $1;
"""
    found = errors(text)
    assert found[:3] == [
        "command :execlastid of query A does not exist in PostgreSQL",
        "command :fetch of query B is not supported",
        "@stream on query C, which is :one",
    ]
    assert found[3].startswith("query D is :copyfrom and ")
    assert found[4:] == ["@page on query E, which is :one", "query F has both @page and @stream", "@page on query G, which is :batchmany"]


def test_a_file_for_sqlc_only_has_no_module() -> None:
    assert unproven("-- @sqlc-only\n\n-- name: A :one\nSELECT 1;\n").modules == ()
