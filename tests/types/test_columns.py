"""Which column is which: rows, embedded rows and stars hold what PostgreSQL sends, whatever sqlc believes of the tables."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.projects import Compiler, Project, declare

SCHEMA = """
CREATE TABLE base (made int NOT NULL, note text);
CREATE TABLE liked (extra text NOT NULL, LIKE base, id int PRIMARY KEY);
CREATE TABLE added (id int PRIMARY KEY, b text);
ALTER TABLE added ADD COLUMN c int NOT NULL DEFAULT 7;
DO $$ BEGIN ALTER TABLE added ADD COLUMN hidden text NOT NULL DEFAULT 'h'; END $$;
CREATE TABLE IF NOT EXISTS stub (z text NOT NULL, a int PRIMARY KEY);
CREATE TABLE IF NOT EXISTS stub (a int PRIMARY KEY, z text NOT NULL);
CREATE TABLE one_column (word text);
CREATE VIEW seen AS SELECT l.id, l.note, l.extra || '!' AS shout, array_agg(o.word) AS words
    FROM liked l LEFT JOIN one_column o ON true GROUP BY l.id;
CREATE SCHEMA other;
CREATE TABLE other.liked (id int PRIMARY KEY, elsewhere text NOT NULL);
"""
QUERIES = """
-- name: Liked :many
SELECT sqlc.embed(liked), sqlc.embed(added) FROM liked JOIN added USING (id);

-- name: Stub :one
SELECT sqlc.embed(s), 1 AS n FROM stub s LIMIT 1;

-- name: AllAdded :many
SELECT * FROM added;

-- name: Seen :many
SELECT base.made, sqlc.embed(v) FROM base JOIN seen v ON v.id = base.made;

-- name: PerhapsSeen :many
SELECT sqlc.embed(base), sqlc.embed(v) FROM base LEFT JOIN seen v ON v.id = base.made ORDER BY base.made;

-- name: SeenAlone :many
SELECT * FROM seen;

-- name: BothSchemas :many
SELECT * FROM public.liked JOIN other.liked ON public.liked.id = other.liked.id;

-- name: OtherLiked :one
SELECT sqlc.embed(l), l.id AS again FROM other.liked l LIMIT 1;

-- name: Insert :one
INSERT INTO liked (id, made, extra, note) VALUES (@id, @made, @extra, sqlc.narg(note)) RETURNING *;

-- name: Nested :many
WITH every AS (SELECT * FROM added) SELECT every.*, (SELECT count(*) FROM stub) AS stubs FROM every WHERE EXISTS (SELECT * FROM liked);

-- name: HandedOn :many
WITH picked AS (SELECT * FROM (SELECT * FROM liked) AS inner_query)
SELECT base.made AS n, sqlc.embed(liked) FROM base LEFT JOIN picked AS liked ON liked.id = base.made ORDER BY n;

-- name: Grouped :many
SELECT sqlc.embed(liked), count(*) FROM liked JOIN added USING (id) GROUP BY liked.id;

-- name: GroupedStar :many
SELECT liked.*, count(*) FROM liked JOIN added USING (id) GROUP BY liked.id, liked.note;
"""
SOURCE = declare(SCHEMA, QUERIES, clients="sync")


@pytest.fixture(scope="module", params=["compiler", "debian_compiler"], ids=["newest", "pg15"])
def project(request: pytest.FixtureRequest) -> Project:
    chosen: Compiler = request.getfixturevalue(request.param)
    return chosen.compile(SOURCE)


@pytest.fixture(scope="module")
def conn(project: Project) -> Any:
    with project.connect() as connection:
        connection.execute("INSERT INTO liked VALUES ('x', 5, NULL, 1)")
        connection.execute("INSERT INTO base VALUES (1, 'b'), (2, NULL)")
        connection.execute("INSERT INTO added VALUES (1, 'bb')")
        connection.execute("INSERT INTO stub VALUES ('zz', 3)")
        connection.execute("INSERT INTO other.liked VALUES (1, 'far')")
        yield connection


def _fields(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).__annotations__}


def test_embedded_columns_are_matched_by_what_they_are(project: Project, conn: psycopg.Connection[Any]) -> None:
    (row,) = project.module("queries").liked(conn)
    assert _fields(row.liked) == {"extra": "x", "made": 5, "note": None, "id": 1}
    assert _fields(row.added) == {"id": 1, "b": "bb", "c": 7, "hidden": "h"}


def test_the_first_of_two_definitions_counts(project: Project, conn: psycopg.Connection[Any]) -> None:
    assert _fields(project.module("queries").stub(conn).s) == {"z": "zz", "a": 3}


def test_a_star_has_the_columns_that_only_postgresql_knows(project: Project, conn: psycopg.Connection[Any]) -> None:
    queries = project.module("queries")
    assert [_fields(row) for row in queries.all_added(conn)] == [{"id": 1, "b": "bb", "c": 7, "hidden": "h"}]
    assert "SELECT id, b, c, hidden FROM added" in queries.ALL_ADDED


def test_a_view_that_is_joined_within_is_there_whatever_it_holds(project: Project, conn: psycopg.Connection[Any]) -> None:
    (row,) = project.module("queries").seen(conn)
    assert _fields(row.v) == {"id": 1, "note": None, "shout": "x!", "words": [None]}


def test_an_outer_join_over_a_view_makes_its_row_absent(project: Project, conn: psycopg.Connection[Any]) -> None:
    first, second = project.module("queries").perhaps_seen(conn)
    assert (first.v.id, first.v.note, second.v) == (1, None, None)


def test_a_with_item_that_hands_on_a_table_s_columns_hands_on_its_rows(project: Project, conn: psycopg.Connection[Any]) -> None:
    first, second = project.module("queries").handed_on(conn)
    assert _fields(first.liked) == {"extra": "x", "made": 5, "note": None, "id": 1}
    assert second.liked is None


def test_the_class_of_a_view_has_the_proven_types_of_its_columns(project: Project) -> None:
    view = project.module("models").Seen
    assert view.__annotations__ == {"id": int, "note": str | None, "shout": str, "words": list[str | None]}
    assert project.module("queries").seen_alone.__annotations__["return"].__args__ == (view,)


def test_tables_of_one_name_in_two_schemas_are_two(project: Project, conn: psycopg.Connection[Any]) -> None:
    queries = project.module("queries")
    (row,) = queries.both_schemas(conn)
    assert list(_fields(row).values()) == ["x", 5, None, 1, 1, "far"]
    assert _fields(queries.other_liked(conn).l) == {"id": 1, "elsewhere": "far"}


def test_returning_a_star_returns_the_table_in_its_own_order(project: Project, conn: psycopg.Connection[Any]) -> None:
    row = project.module("queries").insert(conn, id=9, made=8, extra="e", note=None)
    assert _fields(row) == {"extra": "e", "made": 8, "note": None, "id": 9}


def test_stars_inside_a_query_are_columns_too(project: Project, conn: psycopg.Connection[Any]) -> None:
    queries = project.module("queries")
    assert [_fields(row) for row in queries.nested(conn)] == [{"id": 1, "b": "bb", "c": 7, "hidden": "h", "stubs": 1}]
    assert "count(*)" in queries.NESTED
    assert ".*" not in queries.NESTED


def test_a_grouped_row_is_embedded(project: Project, conn: psycopg.Connection[Any]) -> None:
    (row,) = project.module("queries").grouped(conn)
    assert (_fields(row.liked), row.count) == ({"extra": "x", "made": 5, "note": None, "id": 1}, 1)


def test_a_star_over_a_grouped_table_is_its_columns(project: Project, conn: psycopg.Connection[Any]) -> None:
    queries = project.module("queries")
    assert [_fields(row) for row in queries.grouped_star(conn)] == [{"extra": "x", "made": 5, "note": None, "id": 1, "count": 1}]
    assert "liked.extra, liked.made, liked.note, liked.id, count(*)" in queries.GROUPED_STAR
