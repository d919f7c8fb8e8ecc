"""`sqlwright inspect`: the proven package as JSON."""

from __future__ import annotations

import json

from tests.support.program import Sqlwright


def test_a_query_is_found_by_both_of_its_names(sqlwright: Sqlwright) -> None:
    by_name = json.loads(sqlwright("inspect", "GetUser").out)
    by_function = json.loads(sqlwright("inspect", "get_user").out)
    assert by_name == by_function
    (query,) = by_name
    assert (query["name"], query["command"]) == ("GetUser", ":one")
    assert query["source"] == {"file": "queries/users.sql", "line": 1}
    assert query["params"][0]["type"] == {"kind": "scalar", "postgres": "int4", "python_module": "", "python_name": "int"}
    assert query["result"]["kind"] == "one"
    assert query["result"]["shape"]["kind"] == "bare_value"
    assert query["result"]["shape"]["column"]["origin"] == {"schema": "public", "table": "users", "column": "name"}
    assert query["result"]["shape"]["column"]["reason"]


def test_without_a_name_all_packages_are_shown(sqlwright: Sqlwright) -> None:
    document = json.loads(sqlwright("inspect").out)
    (package,) = document["packages"]
    assert {"out", "modules", "models", "enums"} <= package.keys()
    assert package["out"] == "generated/app_db"
    assert [query["name"] for module in package["modules"] for query in module["queries"]] == ["GetUser", "ListUsers"]


def test_an_unknown_name_gets_near_ones(sqlwright: Sqlwright) -> None:
    done = sqlwright("inspect", "ListUser")
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: there is no query ListUser\n  help: did you mean ListUsers or list_users or GetUser?\n"
