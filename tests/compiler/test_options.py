"""Options: strict, and an error names the key, its place and what is accepted."""

from __future__ import annotations

import json

import pytest

from sqlwright.diagnostics import CompileError, format_diagnostic
from sqlwright.options import Clients, Options, read_options

CONFIG = 'version: "2"\nsql:\n  - codegen:\n      - out: gen/db\n        options:\n          clinets: async\n          clients: threads\n'


def test_the_package_is_named_after_the_output_folder() -> None:
    assert read_options(b"", out="generated/shop_db/").package == "shop_db"


def test_options_of_the_entry_win_over_the_plugins() -> None:
    assert read_options(b'{"clients": "sync"}', b'{"clients": "both"}', out="x").clients is Clients.BOTH


def test_every_wrong_option_is_reported_with_its_place() -> None:
    with pytest.raises(CompileError) as caught:
        read_options(
            json.dumps({"clinets": "async", "clients": "threads"}).encode(), out="gen/db", config_name="sqlc.yaml", config_text=CONFIG
        )
    accepted = [field.alias or name for name, field in Options.model_fields.items()]
    bad_value, unknown = sorted(format_diagnostic(d) for d in caught.value.diagnostics)
    assert bad_value == (
        'error: bad value for option "clients": "threads"\n'
        "  --> sqlc.yaml:7:11\n"
        "    |\n"
        "  7 |           clients: threads\n"
        "    |           ^^^^^^^\n"
        "  help: accepted: sync, async, both."
    )
    assert unknown == (
        'error: unknown option "clinets"\n'
        "  --> sqlc.yaml:6:11\n"
        "    |\n"
        "  6 |           clinets: async\n"
        "    |           ^^^^^^^\n"
        '  help: did you mean "clients"? accepted options: ' + ", ".join(sorted(accepted)) + "."
    )


@pytest.mark.parametrize(
    ("key", "value", "help_"),
    [
        ("calls", '"drect"', 'did you mean "direct"? accepted: cursor, direct.'),
        ("tracing", '"opentelemetri"', 'did you mean "opentelemetry"? accepted: none, opentelemetry.'),
        ("tracing", "true", "accepted: none, opentelemetry."),
        ("comments", '"yes"', "accepted: true, false."),
    ],
)
def test_a_wrong_value_is_shown_in_its_line_with_the_one_that_was_meant(key: str, value: str, help_: str) -> None:
    text = f"options:\n  {key}: {value}\n"
    with pytest.raises(CompileError) as caught:
        read_options(f'{{"{key}": {value}}}'.encode(), out="x", config_name="sqlc.yaml", config_text=text)
    (found,) = caught.value.diagnostics
    assert (found.message, str(found.place), found.help) == (f'bad value for option "{key}": {value}', "sqlc.yaml:2:3", help_)


def test_an_error_inside_an_option_points_at_the_inner_key() -> None:
    text = "options:\n  overrides:\n    - column: mail\n      python_type: str\n"
    given = json.dumps({"overrides": [{"column": "mail", "python_type": "str"}]}).encode()
    with pytest.raises(CompileError) as caught:
        read_options(given, out="x", config_name="sqlc.yaml", config_text=text)
    (found,) = caught.value.diagnostics
    assert str(found.place) == "sqlc.yaml:3:7"
    assert found.message == (
        'bad value for option "overrides", at 0.column: must be table.column or schema.table.column; * matches anything'
    )


def test_model_and_its_other_name_may_not_contradict_each_other() -> None:
    with pytest.raises(CompileError, match="contradicts `model`"):
        read_options(b'{"model": "frozen", "emit_pydantic_models": true}', out="x")
    assert read_options(b'{"emit_pydantic_models": true}', out="x").row_style == "pydantic"


def test_options_without_a_value_are_the_defaults() -> None:
    assert read_options(b"null", b"null", out="x") == read_options(b"", out="x")


@pytest.mark.parametrize("given", [b'"async"', b'["clients"]', b"3"])
def test_options_that_are_no_mapping_are_an_error_at_their_line(given: bytes) -> None:
    with pytest.raises(CompileError) as caught:
        read_options(given, out="gen/db", config_name="sqlc.yaml", config_text=CONFIG)
    (found,) = caught.value.diagnostics
    assert (found.message, str(found.place)) == (f"options are {given.decode()}", "sqlc.yaml:5:9")


@pytest.mark.parametrize("name", ["class", "shop-db", "."])
def test_a_folder_that_no_import_can_name_is_an_error_at_out_unless_the_package_is_named(name: str) -> None:
    with pytest.raises(CompileError) as caught:
        read_options(b"", out=f"gen/{name}", config_name="sqlc.yaml", config_text=CONFIG.replace("gen/db", f"gen/{name}"))
    (found,) = caught.value.diagnostics
    assert found.message == f'the package is named after the last part of out, "gen/{name}", but "{name}" is not an import name'
    assert str(found.place) == "sqlc.yaml:4:9"
    assert read_options(b'{"package": "shop_db"}', out=f"gen/{name}").package == "shop_db"
    with pytest.raises(CompileError, match='bad value for option "package"'):
        read_options(b'{"package": "a.class"}', out="x")
