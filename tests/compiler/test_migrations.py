"""What a schema file means: the way forward, without psql's commands and without queries; what stays keeps its line and column."""

from __future__ import annotations

import pytest

from sqlwright.sql.migrations import schema_text


@pytest.mark.parametrize(
    "mark",
    [
        "-- migrate:down",
        "-- migrate:down transaction:false",
        "--migrate:down",
        "-- MIGRATE:DOWN",
        "-- +goose Down",
        "-- +goose down",
        "--+goose Down",
        "-- +migrate Down",
        "-- +migrate Down notransaction",
        "---- create above / drop below ----",
    ],
)
def test_the_way_back_is_left_out(mark: str) -> None:
    assert schema_text(f"-- up\nCREATE TABLE t ();\n{mark}\nDROP TABLE t;\n-- migrate:up\nA") == "-- up\nCREATE TABLE t ();\n"


def test_a_migration_that_has_no_way_back_is_taken_whole() -> None:
    text = "-- +goose Up\n-- +goose StatementBegin\nCREATE TABLE t ();\n-- +goose StatementEnd\n"
    assert schema_text(text) == text


def test_commands_of_psql_are_blank() -> None:
    assert schema_text("\\restrict it's\nCREATE TABLE t ();\r\n\\connect x\r\n\\unrestrict k") == (
        "              \nCREATE TABLE t ();\r\n          \r\n             "
    )


@pytest.mark.parametrize("quoted", ["'\n\\a\n'", "$$\n\\a\n$$", "/*\n\\a\n*/", '"\n\\a\n"', "E'\\'\n\\a\n'"])
def test_a_backslash_inside_of_quotes_is_no_command(quoted: str) -> None:
    assert schema_text(f"SELECT {quoted};\n") == f"SELECT {quoted};\n"


def test_queries_among_the_schema_are_blank() -> None:
    text = "CREATE TABLE t (a int);\n\n-- name: A :one\n-- Doc.\nSELECT a\nFROM t; CREATE TABLE u ();\n-- name: B :exec\nDELETE FROM t;\n"
    assert schema_text(text) == (
        "CREATE TABLE t (a int);\n\n-- name: A :one\n-- Doc.\n        \n      ; CREATE TABLE u ();\n-- name: B :exec\n             ;\n"
    )


def test_a_named_statement_that_makes_schema_stays() -> None:
    text = "-- name: MakeT :exec\nCREATE TABLE IF NOT EXISTS t (a int);\n"
    assert schema_text(text) == text


def test_an_insert_without_a_name_is_seed_data() -> None:
    text = "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\n"
    assert schema_text(text) == text
