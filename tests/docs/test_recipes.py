"""The recipes of docs/variants.md: compiled as one project, and run on a real server."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support import sqlc
from tests.support.program import run_here
from tests.support.servers import MAJORS, Servers, fresh_database
from tests.support.small_project import CONFIGURATION, write_files
from tests.support.sqlc import Recordings

_PAGE = Path(__file__).parents[2] / "docs" / "variants.md"
# Without SQL of its own, a recipe is for a query above it.
_RECIPE = re.compile(r"### (?P<title>.+)\n\n(?:```sql\n(?P<sql>(?s:.+?))```\n\n)?(?:(?!```)[^\n]+\n\n)?```python\n(?P<python>(?s:.+?))```")
_RECIPES = [match.groupdict() for match in _RECIPE.finditer(_PAGE.read_text(encoding="utf-8").partition("## Recipes\n")[2])]
_SCHEMA = """
CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, note text, added_at date NOT NULL, version int NOT NULL DEFAULT 1);
CREATE TABLE tags (item_id int NOT NULL REFERENCES items, tag text NOT NULL, PRIMARY KEY (item_id, tag));
"""
_ROWS = """
INSERT INTO items VALUES
    (1, 'blue chair', 'old', '2026-01-01'), (2, 'red chair', NULL, '2026-01-02'), (3, 'table', 'Blue too', '2026-01-03');
INSERT INTO tags VALUES (1, 'new'), (1, 'sale'), (3, 'sale');
"""
# What the last line of each returns, in words of plain values.
_RESULTS: dict[str, Any] = {
    "A period, of which both ends are passed or none": [2, 3],
    "A period with open ends": [1],
    "A filter from a handler, whose None is no filter": [[1, 2, 3], [3]],
    "A list": [1, 3],
    "A word in one of several columns, without OR": [1, 3],
    "None as a value to look for": [2],
    "A row elsewhere, without EXISTS": [1],
    "A filter on the optional side of a join": [(1, "new"), (2, None), (3, None)],
    "A condition on groups, without HAVING": [(1, 2)],
    "An order by name, from a caller's text": [3, 2, 1],
    "A page and the number of all rows": ([1], 2),
    "A patch of the version that was read": (1, "blue chair", None, date(2026, 1, 1), 2),
    "A patch that may be empty, from a form": [(2, "red chair", "painted", 2), (2, "red chair", "painted", 2)],
    "A patch with a value that is computed": ("Red Chair", None),
    "A full-text search": [2],
    "Pages forwards and backwards": True,
    "All rows, a page at a time": ["table", "red chair", "blue chair"],
    "The last page": [(2, "red chair"), (1, "blue chair")],
    "Pages with filters and a chosen order": [1],
    "Pages of groups": [("sale", 2)],
    "Pages by a column that may be NULL": [2, 3],
    "Pages by month": [1, 2],
    "A cursor from a request": [[3, 2], "400 Bad Request"],
}


def _write(folder: Path) -> list[Path]:
    """Write the project of the recipes."""
    configuration = CONFIGURATION.replace("generated/app_db", "recipes_db")
    queries = "\n".join(recipe["sql"] for recipe in _RECIPES if recipe["sql"])
    write_files(folder, {"migrations/1.sql": _SCHEMA, "queries/items.sql": queries, "sqlc.yaml": configuration})
    return [folder / "sqlc.yaml"]


sqlc.declare(_write)


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory, proof_server: str, recordings: Recordings) -> Any:
    """The module that is generated from the recipes."""
    folder = tmp_path_factory.mktemp("recipes")
    _write(folder)
    done = run_here(folder, ("generate",), {"SQLWRIGHT_DATABASE_URL": proof_server}, recordings)
    assert done.code == 0, done.err
    sys.path.insert(0, str(folder))
    return importlib.import_module("recipes_db.items")


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, MAJORS[0], "recipes") as connection:
        connection.execute(_SCHEMA)
        connection.execute(_ROWS)
        yield connection


@pytest.mark.parametrize("recipe", _RECIPES, ids=lambda recipe: recipe["title"])
def test_a_recipe_does_what_its_title_says(recipe: dict[str, str], items: Any, database: psycopg.Connection) -> None:
    *before, last = recipe["python"].splitlines()
    names = {"items": items, "conn": database, "date": date}
    with database.transaction(force_rollback=True):
        exec("\n".join(before), names)  # noqa: S102 - the page's own code is what is tested
        result = eval(last, names)  # noqa: S307 - as above
    assert _plain(result) == _RESULTS[recipe["title"]]


def test_every_recipe_has_a_result() -> None:
    assert [recipe["title"] for recipe in _RECIPES] == list(_RESULTS)


def _plain(value: Any) -> Any:
    """Return rows as tuples."""
    if isinstance(value, list):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType] - rows of any query
    names: tuple[str, ...] | None = getattr(value, "__slots__", None)
    return tuple(getattr(value, name) for name in names) if names else value
