"""Arrays of several dimensions: as many lists inside each other as are declared, or as what makes the array makes."""

from __future__ import annotations

import asyncio
import re
from fractions import Fraction
from pathlib import PurePath
from typing import Any, get_type_hints

import psycopg
import pytest

from tests.support.annotations import result_fits
from tests.support.projects import Compiler, Project, declare

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN grid AS int[][];
CREATE TYPE board AS (cells int[][], labels text[]);
CREATE TABLE games (
    id int PRIMARY KEY, m int[][] NOT NULL, cube text[][][], flat int[] NOT NULL, moods mood[][] NOT NULL, g grid NOT NULL,
    boxes box[][] NOT NULL, docs jsonb[][] NOT NULL, board board NOT NULL, sized int[2][2] NOT NULL
);
CREATE DOMAIN codes AS text[];
CREATE DOMAIN page AS grid;
CREATE TABLE books (id int PRIMARY KEY, g grid NOT NULL, cs codes NOT NULL, gs grid[] NOT NULL, css codes[] NOT NULL, p page NOT NULL);
INSERT INTO books VALUES (1, '{{1,2},{3,4}}', '{a,b}', ARRAY['{{1,2}}'::grid], ARRAY['{a}'::codes], '{{1}}');
CREATE VIEW shown AS SELECT id, m, array_agg(flat) OVER () AS ls FROM games;
"""
COLUMNS = "id, m, cube, flat, moods, g, boxes, docs, board, sized"
# Name, query, the types of its columns.
_CASES = {
    "declared": ("SELECT m, sized, g FROM games", "list[list[int]], list[list[int]], list[list[int]]"),
    "through_a_view": ("SELECT m, ls FROM shown", "list[list[int]], list[list[int]]"),
    "gathered": ("SELECT array_agg(flat) AS a, array_agg(m) AS b, max(m) AS c FROM games",
                 "list[list[int]] | None, list[list[list[int]]] | None, list[list[int | None]] | None"),
    "written": ("SELECT ARRAY[[1, 2], [3, 4]] AS a, ARRAY[1] AS b, '{{1,2}}'::int[] AS c, ARRAY[ARRAY[ARRAY[NULL::text]]] AS d",
                "list[list[int]], list[int], list[list[int]], list[list[list[str | None]]]"),
    "subqueries": ("SELECT ARRAY(SELECT flat FROM games) AS a, (SELECT m FROM games LIMIT 1) AS b, ARRAY(SELECT id FROM games) AS c",
                   "list[list[int]], list[list[int]] | None, list[int]"),
    "operators": ("SELECT m || m AS a, m || ARRAY[1, 2] AS b, m[1:1] AS c, m[1][1] AS d, flat || 1 AS e FROM games",
                  "list[list[int]], object, list[list[int]], int | None, list[int]"),
    "chosen": ("SELECT coalesce(m, m) AS a, CASE WHEN id = 1 THEN m ELSE g END AS b FROM games", "list[list[int]], list[list[int]]"),
    "fields": ("SELECT (board).cells, (board).labels, row(m, flat) AS r FROM games",
               "list[list[int | None]] | None, list[str | None] | None, tuple[list[list[int]], list[int]]"),
    "union": ("WITH x AS (SELECT m FROM games UNION ALL SELECT m FROM games) SELECT m, 1 AS n FROM x", "list[list[int]], int"),
    "grouped": ("SELECT m, count(*) AS n FROM games GROUP BY m", "list[list[int]], int"),
    "filled": ("SELECT array_fill(0, ARRAY[2, 3]) AS a, 1 AS n", "list[list[int]], int"),
    "elements": ("SELECT unnest(m) AS a, 1 AS n FROM games", "int, int"),
    "domains": ("SELECT g, cs, gs, css, p FROM books",
                "list[list[int]], list[str], list[list[list[int]]], list[list[str]], list[list[int]]"),
    "domains_gathered": ("SELECT ARRAY(SELECT g FROM books) AS a, ARRAY(SELECT cs FROM books), ARRAY[cs], array_agg(g) OVER () FROM books",
                         "list[list[list[int]]], list[list[str]], list[list[str]], list[list[list[int]]]"),
    "domain_elements": ("SELECT gs[1] AS a, css[1] AS b FROM books", "list[list[int | None]] | None, list[str | None] | None"),
    "domain_members": ("SELECT unnest(gs) AS a, m2 FROM books, unnest(gs) m2", "list[list[int | None]], list[list[int | None]]"),
    "domain_operators": ("SELECT gs[1:1] AS a, array_append(css, cs) AS b FROM books", "list[list[list[int]]], list[list[str]]"),
    "percentiles": ("SELECT percentile_cont(ARRAY[[0.1, 0.5]]::float8[]) WITHIN GROUP (ORDER BY id) AS a, 1 AS n FROM games",
                    "list[list[float | None]] | None, int"),
    "discrete": ("SELECT percentile_disc(ARRAY[[0.1], [0.5]]::float8[]) WITHIN GROUP (ORDER BY id) AS a, 1 AS n FROM games",
                 "list[list[int | None]] | None, int"),
    "chosen_by_rank": ("SELECT mode() WITHIN GROUP (ORDER BY m) AS a, percentile_disc(0.5) WITHIN GROUP (ORDER BY m) AS b FROM games",
                       "list[list[int | None]] | None, list[list[int | None]] | None"),
    "neighbours": ("SELECT lag(m, 0) OVER () AS a, array_larger(m, m) AS b FROM games",
                   "list[list[int | None]] | None, list[list[int | None]] | None"),
    "parameters": ("SELECT @v::int[][] AS v, @w::int[] AS w", "list[list[int]], list[int]"),
}  # fmt: skip
QUERIES = (
    "".join(f"-- name: {name} :many\n{query};\n\n" for name, (query, _) in _CASES.items())
    + f"""
-- name: add :one
INSERT INTO games ({COLUMNS}) VALUES (@id, @m, @cube, @flat, @moods, @g, @boxes, @docs, @board, @sized) RETURNING *;

-- name: copy_games :copyfrom
INSERT INTO games ({COLUMNS}) VALUES (@id, @m, @cube, @flat, @moods, @g, @boxes, @docs, @board, @sized);

-- name: all_games :many
SELECT * FROM games ORDER BY id;
"""
)
SOURCE = declare(SCHEMA, QUERIES)
CONVERTED = declare(
    "CREATE TABLE games (id int PRIMARY KEY, boxes box[][] NOT NULL, docs jsonb[][] NOT NULL);",
    "-- name: add :one\nINSERT INTO games (id, boxes, docs) VALUES (@id, @boxes, @docs) RETURNING boxes, docs;\n",
    array_elements="nullable",
    json={"games.docs": "fractions.Fraction"},
    overrides=[{"db_type": "box", "python_type": "pathlib.PurePath", "from_python": "str"}],
)


@pytest.fixture(scope="module", params=["compiler", "debian_compiler"], ids=["newest", "oldest"])
def project(request: pytest.FixtureRequest) -> Project:
    compiler: Compiler = request.getfixturevalue(request.param)
    return compiler.compile(SOURCE)


def game(project: Project, number: int) -> dict[str, Any]:
    mood = project.module("enums").Mood
    board = project.module("models").Board(cells=[[1], [2]], labels=["x"])
    return {
        "id": number, "m": [[1, 2], [3, 4]], "cube": [[["a"], ["b"]]], "flat": [1], "moods": [[mood.SAD], [mood.HAPPY]], "g": [[5]],
        "boxes": [["(3,4),(1,2)"], ["(1,1),(0,0)"]], "docs": [[{"a": [1]}, []]], "board": board, "sized": [[1, 2], [3, 4]],
    }  # fmt: skip


@pytest.mark.parametrize("name", _CASES)
def test_as_many_lists_as_dimensions(project: Project, name: str) -> None:
    function = getattr(project.module("queries"), name)
    with project.connect() as conn:
        project.module("queries").add(conn, **game(project, 1))
        found = function(conn, **({"v": [[1]], "w": [1]} if name == "parameters" else {}))
    assert found
    assert result_fits(function, found)
    row = get_type_hints(function)["return"].__args__[0]
    shown = [_shown(kind) for kind in get_type_hints(row).values()]
    assert ", ".join(shown) == _CASES[name][1]


def _shown(annotation: Any) -> str:
    text = annotation.__name__ if annotation.__class__ is type else str(annotation)
    return re.sub(r"typing\.Optional\[(.*)\]$", r"\1 | None", text)


def test_what_is_sent_comes_back(project: Project) -> None:
    queries, row = project.module("queries"), project.module("models").Game
    with project.connect() as conn:
        found = queries.add(conn, **game(project, 1))
        assert queries.copy_games(conn, [queries.CopyGamesParams(**game(project, number)) for number in (2, 3)]) == 2
        assert queries.all_games(conn) == [row(**game(project, number)) for number in (1, 2, 3)]
    assert result_fits(queries.add, found)


def test_async_functions_do_the_same(project: Project) -> None:
    async def run() -> Any:
        async with await psycopg.AsyncConnection.connect(project.conninfo) as conn:
            await project.module("aio").register(conn)
            found = await project.module("aio.queries").add(conn, **game(project, 1))
            await conn.rollback()
            return found

    assert asyncio.run(run()) == project.module("models").Game(**game(project, 1))


def test_converted_elements_are_converted_in_every_dimension(compiler: Compiler) -> None:
    project = compiler.compile(CONVERTED)
    sent: dict[str, Any] = {"boxes": [[PurePath("(3,4),(1,2)"), None]], "docs": [[Fraction(1, 2), None]]}
    with project.connect() as conn:
        found = project.module("queries").add(conn, id=1, **sent)
        assert {name: getattr(found, name) for name in sent} == sent
