"""The stage `check`: every complaint about a package before it is rendered, and none about a sound one."""

from __future__ import annotations

from typing import Any

import pytest

from sqlwright import ir
from sqlwright.assemble.package import assemble
from sqlwright.check import check
from sqlwright.check.names import check_names
from sqlwright.diagnostics import Severity
from sqlwright.ir.proofs import Proofs, ProvenEmbed, QueryProof
from tests.support.stages import column, options, param, proof, proofs, resolved, sources, table, unproven, wire, wire_param

USERS = table("users", id="int4", name="text", nick="text?", data="jsonb?")
NAME, NICK, DATA = column("name", table="users"), column("nick", nullable=True, table="users"), column("data", "jsonb", table="users")
_REDUNDANT = "a claim on query A is redundant: `name` is never None: the reason of name"
ERROR, WARNING = Severity.ERROR, Severity.WARNING


def complaints(
    package: ir.UnprovenPackage, given: Proofs, *, embedded: bool = False, complete: bool = True, **wanted: Any
) -> list[tuple[Severity, str]]:
    """What is said of a package, with its severity."""
    chosen = options(**wanted)
    assembled = assemble(package, given, chosen)
    found = check_names(package)
    found += check(package, given, assembled, chosen, config_name="sqlc.yaml", embedded=embedded, complete=complete)
    return [(diagnostic.severity, diagnostic.message) for diagnostic in found]


def of_query(header: str, found: QueryProof, *, embedded: bool = False, **wanted: Any) -> list[tuple[Severity, str]]:
    """What is said of one query, `A`, under these lines of its comment."""
    return complaints(unproven(f"-- name: A {header}\nSELECT 1;\n"), proofs((USERS,), A=found), embedded=embedded, **wanted)


def test_a_sound_package_has_no_diagnostics() -> None:
    assert of_query(":one", proof(NAME, NICK, rows=ir.Cardinality.AT_MOST_ONE), json={"users.data": "app.Data"}) == []


def test_queries_that_would_be_one_function_are_an_error() -> None:
    package = unproven("-- name: GetUser :many\nSELECT 1;\n\n-- name: get_user :many\nSELECT 1;\n")
    found = complaints(package, proofs((USERS,), GetUser=proof(NAME), get_user=proof(NAME)))
    assert found == [(ERROR, "queries GetUser and get_user would both be function `get_user`")]


def test_files_that_would_be_one_module_are_an_error() -> None:
    found = sources("-- name: A :many\nSELECT 1;\n", "q/user-list.sql") | sources("-- name: B :many\nSELECT 1;\n", "q/user_list.sql")
    given = proofs((USERS,), file="q/user-list.sql", A=proof(NAME))
    given.queries.update(proofs(file="q/user_list.sql", B=proof(NAME)).queries)
    package = resolved(tuple(map(wire, found.values())), found)
    assert complaints(package, given) == [(ERROR, "q/user-list.sql and q/user_list.sql would both be module `user_list`")]


def test_a_row_class_that_a_table_has_already_is_an_error() -> None:
    package = unproven("-- name: A :many\nSELECT 1;\n\n-- name: Every :many\nSELECT 1;\n")
    tables = (table("a_row", id="int4", name="text"),)
    every = (column("id", "int4", table="a_row"), column("name", table="a_row"))
    found = complaints(package, proofs(tables, A=proof(NAME, NICK), Every=proof(*every)))
    assert found == [(ERROR, "the row class of query A and the row class of table public.a_row would both be class `ARow`")]


def test_an_embedded_row_that_may_be_absent_needs_a_presence_column() -> None:
    found = sources("-- name: A :many\nSELECT 1 AS n, sqlc.embed(u) FROM users u;\n")
    loose = table("users", nick="text?")
    embed = ProvenEmbed(first=1, schema="public", table="users", columns=("nick",), absent=True, witness=-1)
    given = proofs((loose,), A=proof(column("n", "int4"), NICK, embeds=(embed,)))
    assert complaints(resolved((wire(found["A"]),), found), given) == [
        (ERROR, "query A embeds `u`, whose row may be absent, but no column of the table is NOT NULL to show when")
    ]


@pytest.mark.parametrize(
    ("command", "sql", "message"),
    [
        (":many", "DELETE FROM users", "query A is :many but returns no columns"),
        (":execrows", "SET search_path = app", "query A is :execrows, but SET reports no row count"),
        (":exec", "COPY users FROM STDIN", "query A is a COPY, which does not return its data as a query result"),
    ],
)
def test_a_statement_that_its_command_cannot_run_is_an_error(command: str, sql: str, message: str) -> None:
    assert of_query(command, proof(sql=sql)) == [(ERROR, message)]


@pytest.mark.parametrize(
    ("model", "field"), [("namedtuple", "count"), ("namedtuple", "index"), ("pydantic", "model_dump"), ("pydantic", "copy")]
)
def test_a_field_that_the_style_of_rows_does_not_allow_is_an_error(model: str, field: str) -> None:
    message = f"column `{field}` of query A cannot be a field where `model` is {model}"
    assert of_query(":many", proof(column(field), NAME), model=model) == [(ERROR, message)]
    assert of_query(":many", proof(column(field), NAME)) == []


def test_parameters_that_would_share_a_name_are_an_error() -> None:
    found = sources("-- name: A :exec\nUPDATE users SET name = @user_id WHERE id = @userId;\n")
    said = (wire_param(1, "user_id", "text", named=True), wire_param(2, "userid", named=True))
    package = resolved((wire(found["A"], params=said),), found)
    assert complaints(package, proofs((USERS,), A=proof(params=(param("text"), param())))) == [
        (ERROR, "query A has two parameters named `user_id`")
    ]


def test_a_type_without_a_python_type_is_a_warning() -> None:
    assert of_query(":many", proof(column("p", "pg_brin_bloom_summary"), NAME)) == [
        (WARNING, "column `p` of query A has type pg_brin_bloom_summary, which has no Python type: it is annotated `object`")
    ]


def test_columns_that_are_numbered_are_a_warning() -> None:
    assert of_query(":many", proof(NAME, NAME)) == [(WARNING, 'query A returns several columns named `name`: "name" becomes `name_2`')]


@pytest.mark.parametrize(
    ("header", "found", "said"),
    [
        pytest.param(
            ":many\n-- @notnull nicks it is", proof(NICK, NAME), (ERROR, "query A claims @notnull for `nicks`, which it does not return"),
            id="of a column that is not returned",
        ),
        pytest.param(
            ":many\n-- @notnull name it is", proof(NAME), (WARNING, _REDUNDANT),
            id="that is proven",
        ),
        pytest.param(
            ":many\n-- @nullable name it may be", proof(NAME), (WARNING, _REDUNDANT),
            id="that is refuted, on the safe side",
        ),
        pytest.param(
            ":many\n-- @notnull n it is", proof(column("n", nullable=True, always_null=True)),
            (ERROR, "query A claims that `n` is never None, but it always is: the reason of n"), id="that is refuted",
        ),
        pytest.param(":many\n-- @one exactly it is", proof(NAME), (ERROR, "@one on query A, which is :many"), id="of one row of many"),
        pytest.param(
            ":one\n-- @one exactly it is", proof(NAME, rows=ir.Cardinality.EXACTLY_ONE),
            (WARNING, "a claim on query A is redundant: exactly one row is proven: the reason of the rows"), id="of one row that is proven",
        ),
    ],
)  # fmt: skip
def test_a_claim_is_checked_against_the_proof(header: str, found: QueryProof, said: tuple[Severity, str]) -> None:
    assert of_query(header, found) == [said]


@pytest.mark.parametrize(("wanted", "severity"), [({}, WARNING), ({"strict_one": True}, ERROR)])
def test_a_single_row_that_is_not_proven_is_a_warning_or_by_option_an_error(wanted: dict[str, Any], severity: Severity) -> None:
    message = "query A is :one, but is not proven to return at most one row: the reason of the rows"
    assert of_query(":one", proof(NAME), **wanted) == [(severity, message)]
    assert of_query(":one\n-- @one first any will do", proof(NAME), **wanted) == []


def test_an_option_that_fits_nothing_in_the_schema_is_a_warning_each() -> None:
    wanted: dict[str, Any] = {
        "json": {"users.nothing": "app.Data", "users.data": "app.Data"},
        "overrides": [{"db_type": "citext2", "python_type": "app.Text"}, {"column": "*.nick", "python_type": "app.Nick"}],
        "inflection_exclude_table_names": ["strangers", "users"],
    }
    found = of_query(":many", proof(NAME), **wanted)
    assert [severity for severity, _ in found] == [WARNING] * 3
    assert ["users.nothing" in found[0][1], "citext2" in found[1][1], "strangers" in found[2][1]] == [True] * 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("date", "@json on query A names `date`, which is not one of its columns or parameters"),
        ("name", "@json on query A names `name`, which is of type text"),
    ],
)
def test_json_of_what_is_none_is_an_error(name: str, message: str) -> None:
    assert of_query(f":many\n-- @json {name}: app.Data", proof(NAME, DATA)) == [(ERROR, message)]


def test_declared_extensions_are_reported_once_if_the_embedded_server_proved() -> None:
    package = unproven("-- name: A :many\nSELECT 1;\n\n-- name: B :many\nSELECT 1;\n")
    given = proofs((USERS,), A=proof(NAME, stand_ins=("pgcrypto",)), B=proof(NAME, stand_ins=("pgcrypto",)))
    ((severity, message),) = complaints(package, given, embedded=True)
    assert (severity, "pgcrypto" in message) == (WARNING, True)
    assert complaints(package, given) == []


def test_a_type_of_an_override_may_be_that_of_a_query_which_has_errors() -> None:
    package, given = unproven("-- name: A :many\nSELECT 1;\n"), proofs((USERS,), A=proof(NAME))
    override = [{"db_type": "brin_summary", "python_type": "app.Summary"}]
    warning = [(WARNING, 'option "overrides": `brin_summary` is not a known type')]
    assert complaints(package, given, overrides=override) == warning
    assert complaints(package, given, overrides=override, complete=False) == []
