"""Queries whose proofs were wrong once: real rows show what the proof must allow. Each stands for a class of the random grammar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import pq

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.statement import Statement, prove_statement
from tests.support.servers import Servers, fresh_database

from .comparison import compare

_SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, x int, name text, tags text[] NOT NULL DEFAULT '{}', day date UNIQUE, at timestamp UNIQUE);
INSERT INTO t VALUES (1, 10, 'a', '{a,b}', '2011-12-30', '2011-12-30'), (2, NULL, NULL, '{}', '2011-12-31', '2011-12-31');
CREATE TABLE plain (id int PRIMARY KEY, a int);
INSERT INTO plain VALUES (1, NULL);
CREATE TABLE many AS SELECT id FROM generate_series(1, 200) id;
CREATE TYPE one AS (v text);
CREATE FUNCTION forgets(text, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT NULL::boolean';
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = int, FUNCTION = forgets);
CREATE FUNCTION up_to(int) RETURNS SETOF int LANGUAGE sql IMMUTABLE AS 'SELECT generate_series(1, $1)';
CREATE OPERATOR @@@ (RIGHTARG = int, FUNCTION = up_to);

CREATE TABLE base (id int PRIMARY KEY, a int NOT NULL, b int);
INSERT INTO base VALUES (1, 1, 1);
CREATE VIEW below AS SELECT id, a, b FROM base;
CREATE VIEW above AS SELECT id, b, a FROM below WHERE a > 0;
CREATE FUNCTION replaces() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN OLD.a := NULL; RETURN OLD; END IF;
    NEW.a := NULL; RETURN NEW;
END $$;
CREATE TRIGGER replacing INSTEAD OF INSERT OR UPDATE OR DELETE ON below FOR EACH ROW EXECUTE FUNCTION replaces();
CREATE TABLE ruled (id int PRIMARY KEY, a int NOT NULL);
INSERT INTO ruled VALUES (1, 1);
CREATE TABLE elsewhere (id int, a int);
INSERT INTO elsewhere VALUES (NULL, NULL), (NULL, NULL);
CREATE RULE inserting AS ON INSERT TO ruled DO INSTEAD INSERT INTO elsewhere SELECT NULL, NULL FROM generate_series(1, 2) RETURNING *;
CREATE RULE updating AS ON UPDATE TO ruled DO INSTEAD UPDATE elsewhere SET a = NULL RETURNING *;
CREATE RULE deleting AS ON DELETE TO ruled DO INSTEAD DELETE FROM elsewhere RETURNING *;
CREATE VIEW over_rules AS SELECT a, id FROM ruled;
CREATE TABLE parts (id int NOT NULL, part int NOT NULL, a int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE first_part PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE second_part (a int, part int NOT NULL, id int NOT NULL);
ALTER TABLE parts ATTACH PARTITION second_part FOR VALUES IN (2);
CREATE FUNCTION forgets_a() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := NULL; RETURN NEW; END $$;
CREATE TRIGGER forgetting BEFORE INSERT ON second_part FOR EACH ROW EXECUTE FUNCTION forgets_a();
INSERT INTO parts VALUES (1, 1, 5);
CREATE TABLE holes (id int PRIMARY KEY, a int[], b int[] DEFAULT ARRAY[1, NULL], c int[] NOT NULL DEFAULT '{}');
INSERT INTO holes VALUES (1, '{}', '{}', '{}');
CREATE VIEW over_holes AS SELECT b, a, id FROM holes;
CREATE VIEW over_over_holes AS SELECT id, a, b FROM over_holes WHERE id > 0;
CREATE TABLE queue (id int PRIMARY KEY, kind int NOT NULL, taken boolean NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO queue SELECT id, id, false FROM generate_series(1, 20) id;
ANALYZE queue;
UPDATE queue SET kind = 1;
CREATE VIEW next_in_queue AS SELECT id FROM queue WHERE NOT taken ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED;
CREATE VIEW of_its_own AS SELECT id, a FROM base;
CREATE TABLE steps (id int PRIMARY KEY, v int);
INSERT INTO steps SELECT id, 0 FROM generate_series(1, 5) id;
CREATE FUNCTION steps_on() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM set_config('app.id', (NEW.id + 1)::text, true); RETURN NEW;
END $$;
CREATE TRIGGER stepping BEFORE UPDATE ON steps FOR EACH ROW EXECUTE FUNCTION steps_on();
CREATE FUNCTION app_id() RETURNS int LANGUAGE sql STABLE AS $$ SELECT current_setting('app.id')::int $$;
CREATE FUNCTION moves(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('app.id', ($1 + 1)::text, true); RETURN $1; END $$;
CREATE FUNCTION moves_on(state int, value int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN moves(value); END';
CREATE AGGREGATE moving (int) (SFUNC = moves_on, STYPE = int, INITCOND = '0');
CREATE DOMAIN movable AS int CHECK (moves(VALUE) IS NOT NULL);
CREATE VIEW moved AS SELECT moves(app_id()) AS id;
CREATE SEQUENCE looks; CREATE SEQUENCE turns; CREATE SEQUENCE sights; CREATE SEQUENCE times;
CREATE FUNCTION looked(n int DEFAULT nextval('turns')::int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n';
CREATE TABLE guarded (id int PRIMARY KEY);
INSERT INTO guarded SELECT generate_series(1, 6);
CREATE FUNCTION sees(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN $1 <= (nextval('sights') + 5) / 6; END $$;
CREATE POLICY seen ON guarded USING (sees(id));
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE TABLE watched (id int PRIMARY KEY);
INSERT INTO watched SELECT generate_series(1, 6);
CREATE POLICY by_guarded ON watched USING (id IN (SELECT g.id FROM guarded g) OR id IN (SELECT w.id FROM watched w));
ALTER TABLE watched ENABLE ROW LEVEL SECURITY;
CREATE TABLE stepped (id int PRIMARY KEY);
INSERT INTO stepped SELECT generate_series(1, 6);
CREATE POLICY by_setting ON stepped USING (moves(id) > 0);
ALTER TABLE stepped ENABLE ROW LEVEL SECURITY;
CREATE TABLE shown (id int PRIMARY KEY);
INSERT INTO shown SELECT generate_series(1, 6);
CREATE POLICY at_times ON shown USING (nextval('times') % 2 = 0);
ALTER TABLE shown ENABLE ROW LEVEL SECURITY;
CREATE TABLE few (id int PRIMARY KEY) WITH (autovacuum_enabled = off);
INSERT INTO few VALUES (1);
ANALYZE few, steps, shown, guarded, stepped;
INSERT INTO few SELECT generate_series(2, 20);
GRANT SELECT ON ALL TABLES IN SCHEMA public TO pg_monitor;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO pg_monitor;
"""
_APIA = "TimeZone = 'Pacific/Apia'"
_VOLATILE = "SELECT q.r, count(*) FROM many CROSS JOIN t CROSS JOIN LATERAL (SELECT random() + t.x) q (r) WHERE t.id = 1 GROUP BY q.r"
_MISSING = "(VALUES (7)) v (i) ON id = i"
_UPSERT = "INSERT INTO holes (id, a) VALUES"
_EQUALS = "transform_null_equals = on"
_NEXT = "(SELECT id FROM queue WHERE NOT taken LIMIT 1 FOR UPDATE SKIP LOCKED) n ON n.id = q.id AND q.kind = 1"
_TAKING = "UPDATE queue q SET taken = true FROM"
_ID = "app.id = 1"
_LOOPS = "enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off; SET LOCAL join_collapse_limit = 1"
_READER = f"ROLE pg_monitor; SET LOCAL app.id = 1; SET LOCAL {_LOOPS}"
_SHOWN = "SELECT few.id FROM few JOIN"
MANY, NONE, NULL, HOLE = "many rows", "no row", "NULL", "NULL in an array"
FLAT, MATRIX = "an array of one dimension", "an array of two dimensions"


@dataclass(frozen=True)
class Hole:
    """A query, and what its rows show in its first column or in their number. `$1` may be None where it is passed as None."""

    sql: str
    shows: str
    given: tuple[bytes | None, ...] = ()
    types: tuple[str, ...] = ()
    setting: str = ""
    since: int = 15
    before: int = 99


HOLES = [
    # Functions that return sets, in the target list of an INSERT too.
    Hole("INSERT INTO plain (id) VALUES (unnest($1)) RETURNING id", MANY, (b"{7,8}",), ("int[]",)),
    Hole("INSERT INTO plain (id) VALUES (unnest($1)) RETURNING id", NONE, (b"{}",), ("int[]",)),
    Hole("INSERT INTO plain (id) VALUES (@@@ 0) RETURNING id", NONE),
    Hole("SELECT DISTINCT @@@ 2, id FROM t WHERE id = 1", MANY),
    # A group without rows has a row, of which WHERE says nothing.
    Hole("SELECT $1::int, count(*) FROM t WHERE x = $1", NULL, (None,), ("int",)),
    Hole("SELECT $1::int, 1 FROM t WHERE x = $1 HAVING true", NULL, (None,), ("int",)),
    Hole("SELECT $1::int, count(*) FROM t WHERE x = $1 GROUP BY ROLLUP (name)", NULL, (None,), ("int",)),
    Hole("WITH c AS (SELECT $1::int AS asked, count(*) FROM t WHERE x = $1) SELECT asked FROM c", NULL, (None,), ("int",)),
    Hole("SELECT asked FROM many, LATERAL (SELECT $1::int AS asked, max(x) FROM t WHERE x = $1) q", NULL, (None,), ("int",)),
    Hole("SELECT sum($1::int) OVER (), count(*) FROM t WHERE x = $1", NULL, (None,), ("int",)),
    # HAVING with a grouped expression that PostgreSQL folds to a constant drops nothing.
    Hole("SELECT coalesce(1, x) AS c FROM t GROUP BY GROUPING SETS ((coalesce(1, x)), (x)) HAVING coalesce(1, x) IS NOT NULL", NULL),
    # Dates, timestamps and timestamps with time zone: in Apia, 30 December 2011 did not exist.
    Hole("SELECT day FROM t WHERE day = $1", MANY, (b"2011-12-30 10:00+00",), ("timestamptz",), _APIA),
    Hole("SELECT at FROM t WHERE at = $1", MANY, (b"2011-12-30 10:00+00",), ("timestamptz",), _APIA),
    # Views over a view with INSTEAD OF triggers, views over a table with rules, partitions with triggers.
    Hole("INSERT INTO above (a, id) VALUES (5, 5) RETURNING a", NULL),
    Hole("UPDATE above SET b = 1 WHERE id = 1 RETURNING a", NULL),
    Hole("UPDATE above SET b = 1 FROM many WHERE above.id = 1 RETURNING above.id", MANY),
    Hole("DELETE FROM above USING many WHERE above.id = 1 RETURNING above.id", MANY),
    Hole(
        "MERGE INTO above USING (VALUES (1)) s (i) ON above.id = s.i WHEN MATCHED THEN UPDATE SET b = 1 RETURNING above.a", NULL, since=18
    ),
    Hole("INSERT INTO over_rules VALUES (5, 5) RETURNING a", NULL),
    Hole("INSERT INTO over_rules VALUES (5, 5) RETURNING id", MANY),
    Hole("UPDATE over_rules SET a = 3 WHERE id = 1 RETURNING id", MANY),
    Hole("DELETE FROM over_rules WHERE id = 1 RETURNING id", MANY),
    Hole("UPDATE parts SET part = 2, a = 5 WHERE id = 1 RETURNING a", NULL),
    # Arrays, composites, and what they are compared with.
    Hole("SELECT v FROM unnest(ARRAY[ROW(NULL)::one]) v", NULL),
    Hole("SELECT name FROM t WHERE name <> ALL (ARRAY[$1::text[]])", NULL, (b"{}",), ("text[]",)),
    Hole("SELECT name IS DISTINCT FROM 1 FROM t", NULL),
    Hole("UPDATE t SET tags[5] = 'x' WHERE id = 1 RETURNING tags", HOLE),
    Hole("INSERT INTO t (id, tags) VALUES (9, ARRAY[NULL]) RETURNING tags", HOLE),
    Hole("INSERT INTO t (id, tags[1], tags[3]) VALUES (9, 'a', 'b') RETURNING tags", HOLE),
    Hole("INSERT INTO t (id, tags) VALUES (1, '{NULL}') ON CONFLICT (id) DO UPDATE SET tags = excluded.tags RETURNING tags", HOLE),
    Hole("SELECT CASE WHEN id = 1 THEN ARRAY[1] ELSE ARRAY[[1]] END FROM t", FLAT),
    Hole("SELECT ARRAY[1] UNION ALL SELECT ARRAY[[1]]", FLAT),
    Hole("SELECT coalesce(CASE WHEN id = 1 THEN ARRAY[1] END, ARRAY[[1]]) FROM t", FLAT),
    Hole("SELECT nullif(ARRAY[1], ARRAY[[1]])", FLAT),
    Hole("SELECT a FROM (VALUES (ARRAY[1]), (ARRAY[[2]])) v (a)", FLAT),
    Hole("WITH RECURSIVE r (a, n) AS (SELECT ARRAY[[1]], 1 UNION ALL SELECT ARRAY[1], n + 1 FROM r WHERE n < 2) SELECT a FROM r", FLAT),
    # What DO UPDATE takes from `excluded` is what was to be inserted.
    Hole(f"{_UPSERT} (1, ARRAY[1, NULL]) ON CONFLICT (id) DO UPDATE SET a = excluded.a RETURNING a", HOLE),
    Hole(f"{_UPSERT} (1, ARRAY[1, NULL]) ON CONFLICT (id) DO UPDATE SET c = excluded.a RETURNING c", HOLE),
    Hole(f"{_UPSERT} (1, ARRAY[1, NULL]) ON CONFLICT (id) DO UPDATE SET c = (SELECT excluded.a || holes.c) RETURNING c", HOLE),
    Hole(f"{_UPSERT} (1, '{{1}}') ON CONFLICT (id) DO UPDATE SET c = excluded.b RETURNING c", HOLE),
    Hole(f"{_UPSERT} (1, ARRAY[[1, 2]]) ON CONFLICT (id) DO UPDATE SET c = excluded.a RETURNING c", MATRIX),
    Hole("INSERT INTO over_holes (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET a = excluded.b RETURNING a", HOLE),
    Hole("INSERT INTO holes (id) VALUES (7) ON CONFLICT (id) DO UPDATE SET b = holes.b RETURNING b", HOLE),
    # A default that the statement does not name: of MERGE, and of the table below a view.
    Hole("INSERT INTO over_holes (id) VALUES (7) RETURNING b", HOLE),
    Hole("INSERT INTO over_over_holes (id, b) VALUES (7, DEFAULT) RETURNING b", HOLE),
    Hole(f"MERGE INTO holes USING {_MISSING} WHEN NOT MATCHED THEN INSERT (id) VALUES (i) RETURNING b", HOLE, since=17),
    # A session that is set otherwise than that of the proof.
    Hole("SELECT x FROM t WHERE x = NULL", NULL, setting=_EQUALS),
    Hole("SELECT x FROM t WHERE NULL = x AND id > 0", NULL, setting=_EQUALS),
    # One row each time, and not always the same.
    Hole(_VOLATILE, MANY, setting="join_collapse_limit = 1"),
    # With statistics from before all were of one kind, the planner takes the subquery for the inner side of a nested loop: each evaluation
    # passes over the rows that the statement has written, and finds the next one.
    Hole(f"{_TAKING} (SELECT id FROM queue WHERE NOT taken LIMIT 1 FOR UPDATE) n WHERE n.id = q.id AND q.kind = 1 RETURNING q.id", MANY),
    Hole(f"{_TAKING} next_in_queue n WHERE n.id = q.id AND q.kind = 1 RETURNING q.id", MANY),
    Hole("DELETE FROM queue q USING next_in_queue n WHERE n.id = q.id AND q.kind = 1 RETURNING q.id", MANY),
    Hole(f"MERGE INTO queue q USING {_NEXT} WHEN MATCHED THEN UPDATE SET taken = true RETURNING q.id", MANY, since=17),
    Hole("MERGE INTO queue q USING next_in_queue n ON n.id = q.id AND q.kind = 1 WHEN MATCHED THEN DELETE RETURNING q.id", MANY, since=17),
    # Stable functions, in statements that change what they depend on.
    Hole("UPDATE steps SET v = 1 WHERE id = current_setting('app.id')::int RETURNING id", MANY, setting=_ID),
    Hole("UPDATE steps SET v = 1 WHERE id = app_id() RETURNING id", MANY, setting=_ID),
    Hole(
        "UPDATE steps SET v = 1 WHERE id IN (SELECT s.id FROM steps s WHERE s.id = app_id()) RETURNING id",
        MANY,
        setting=f"{_LOOPS}; SET LOCAL {_ID}",
    ),
    Hole("SELECT id, set_config('app.id', (id + 1)::text, true) FROM steps WHERE id = current_setting('app.id')::int", MANY, setting=_ID),
    Hole("SELECT id, moves(id) FROM steps WHERE id = app_id()", MANY, setting=_ID),
    Hole(
        "SELECT s.id, (SELECT moving(x.id) FROM steps x WHERE x.id = s.id) FROM steps s WHERE s.id = app_id()",
        MANY,
        setting=f"{_LOOPS}; SET LOCAL {_ID}",
    ),
    Hole("SELECT id, id::movable FROM steps WHERE id = app_id()", MANY, setting=_ID),
    Hole("SELECT s.id, (SELECT m.id + s.id FROM moved m) FROM steps s WHERE s.id = app_id()", MANY, setting=f"{_LOOPS}; SET LOCAL {_ID}"),
    Hole("SELECT id FROM stepped WHERE id = app_id()", MANY, setting=_READER),
    # The default of an argument that is left out is volatile, and the planner does not see it where it takes a WITH item for a subquery.
    Hole("WITH c AS (SELECT looked() AS n) SELECT few.id FROM few, c WHERE few.id = c.n", MANY),
    # Policies that the text does not show, also in a subquery of another policy.
    Hole("SELECT id FROM few WHERE id IN (SELECT count(*) FROM guarded)", MANY, setting=_READER),
    # A row of a key that is found by one evaluation of a join and not by the next.
    Hole(
        f"{_SHOWN} (steps s LEFT JOIN steps u ON u.id = 2 AND nextval('looks') % 2 = 0) ON few.id = coalesce(u.id, 7) WHERE s.id = 1",
        MANY,
        setting=_LOOPS,
    ),
    Hole(
        f"{_SHOWN} (steps s LEFT JOIN shown u ON u.id = 2) ON few.id = coalesce(u.id, 7) WHERE s.id = 1",
        MANY,
        setting=_READER,
    ),
    Hole("SELECT coalesce(x, 2) FROM t GROUP BY GROUPING SETS ((x), (coalesce(x, 1 + 1)))", NULL, before=18),
]


@pytest.fixture(scope="module")
def connection(servers: Servers, major: int) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, major, "soundness") as connection:
        connection.execute(_SCHEMA)
        yield connection


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: f"{hole.sql} {hole.given}")
def test_the_proof_allows_what_rows_show(connection: psycopg.Connection, hole: Hole) -> None:
    if connection.info.server_version // 10000 < hole.since:
        pytest.skip("the statement is newer than the server")
    if connection.info.server_version // 10000 >= hole.before:
        pytest.skip("the server no longer does this")
    optional = frozenset(number for number, value in enumerate(hole.given, start=1) if value is None)
    facts = SchemaFacts.load(connection)
    proof = prove_statement(connection, facts, Statement(hole.sql, hole.types, optional, returns_rows=True))
    with connection.transaction(force_rollback=True):
        if hole.setting:
            connection.execute(f"SET LOCAL {hole.setting}".encode())
        types = [facts.type_oid(name) for name in hole.types]
        result = connection.pgconn.exec_params(hole.sql.encode(), list(hole.given), types)
        assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    shown = {result.get_value(row, 0) for row in range(result.ntuples)}
    match hole.shows:
        case "many rows":
            assert result.ntuples > 1
        case "no row":
            assert result.ntuples == 0
        case "NULL":
            assert None in shown
        case "NULL in an array":
            assert any(b"NULL" in (value or b"") for value in shown)
        case "an array of two dimensions":
            assert any((value or b"{").startswith(b"{{1") for value in shown)
        case _:
            assert any((value or b"{").startswith(b"{1") for value in shown)
    compare(proof, result, facts)


def test_arrays_of_one_shape_keep_their_dimensions(connection: psycopg.Connection) -> None:
    sql = "SELECT ARRAY[[id]], coalesce(ARRAY[[id]], '{}'), ARRAY[id] FROM t UNION ALL SELECT NULL, '{}', ARRAY[1] || 2"
    proof = prove_statement(connection, SchemaFacts.load(connection), Statement(sql, (), frozenset(), returns_rows=True))
    assert [column.dimensions for column in proof.columns] == [2, 2, 1]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE steps SET v = 1 WHERE id = (SELECT current_setting('app.id')::int) RETURNING id",
        "UPDATE t SET x = 1 WHERE at = now()::timestamp AND id = 1 RETURNING id",
        "SELECT id, random(), nextval('looks') FROM steps WHERE id = app_id()",
        "SELECT id FROM t WHERE day = CURRENT_DATE",
        "SELECT s.id FROM shown JOIN steps s ON s.id = shown.id WHERE shown.id = 1",
        "SELECT id FROM many JOIN (SELECT id FROM watched WHERE id = 1) w USING (id) LIMIT 1",
        "SELECT id FROM t WHERE id IN (SELECT s.id FROM steps s WHERE s.id = app_id())",
    ],
)
def test_what_no_setting_changes_is_still_the_same_in_all_rows(connection: psycopg.Connection, sql: str) -> None:
    proof = prove_statement(connection, SchemaFacts.load(connection), Statement(sql, (), frozenset(), returns_rows=True))
    assert proof.rows.cardinality.name == "AT_MOST_ONE", proof.rows.reason


@pytest.mark.parametrize(
    "condition", ["id = 1::bigint", "id = 1::smallint", "day = '2011-12-30'", "at = '2011-12-30'::timestamp", "id = (SELECT 1)"]
)
def test_a_key_is_still_fixed_by_its_own_family(connection: psycopg.Connection, condition: str) -> None:
    sql = f"SELECT id FROM t WHERE {condition}"
    proof = prove_statement(connection, SchemaFacts.load(connection), Statement(sql, (), frozenset(), returns_rows=True))
    assert proof.rows.cardinality.name == "AT_MOST_ONE", proof.rows.reason


def test_a_view_is_not_read_without_end(connection: psycopg.Connection) -> None:
    """Before PostgreSQL 16, a view's query has entries for the view itself."""
    sql = "SELECT v.id FROM of_its_own v JOIN above w ON w.id = v.id WHERE v.id = (SELECT min(u.id) FROM of_its_own u)"
    proof = prove_statement(connection, SchemaFacts.load(connection), Statement(sql, (), frozenset(), returns_rows=True))
    assert proof.rows.cardinality.name == "AT_MOST_ONE", proof.rows.reason
