"""The schema's text is executed as PostgreSQL allows it: statement by statement, with no more rights than its own database."""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from sqlwright.diagnostics import CompileError, format_diagnostic
from sqlwright.postgres.server import Server, ServerUnavailable, postgres_server
from sqlwright.prove.scratch.database import scratch_database
from sqlwright.prove.scratch.schema import Schema, SchemaFile
from tests.support.servers import MAJORS, ReadyCluster, Servers

_FDW = "CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw;"
_OWN = "DO $$ BEGIN EXECUTE format('ALTER ROLE %I PASSWORD ''k''', current_user); END $$;"
_LOOP = "DO $$ BEGIN PERFORM dblink_connect('dbname=' || current_database() || ' user=' || current_user || ' password=k'); END $$;"
# Each with what PostgreSQL says of its last statement.
HOSTILE = {
    "DROP DATABASE template1": "must be owner of database template1",
    "ALTER SYSTEM SET fsync = off": 'permission denied to set parameter "fsync"',
    "ALTER ROLE postgres PASSWORD 'x'": "permission denied to alter role",
    "DO $$ BEGIN EXECUTE format('ALTER ROLE %I SUPERUSER', current_user); END $$": "permission denied to alter role",
    "CREATE TABLE t (x text);COPY t FROM PROGRAM 'id'": "permission denied to COPY to or from an external program",
    "CREATE TABLE t (x text);COPY t TO '/tmp/x'": "permission denied to COPY to a file",
    "SELECT pg_read_file('/etc/passwd')": "permission denied for function pg_read_file",
    "SELECT lo_import('/etc/passwd')": "permission denied for function lo_import",
    "SELECT rolpassword FROM pg_authid": "permission denied for table pg_authid",
    "LOAD '/tmp/x.so'": 'access to library "/tmp/x.so" is not allowed',
    "RESET SESSION AUTHORIZATION; RESET ROLE;SELECT pg_ls_dir('.')": "permission denied for function pg_ls_dir",
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x', 'y'": "permission denied for language c",
    f"{_FDW}CREATE FOREIGN TABLE f (x text) SERVER s OPTIONS (filename '/etc/passwd')": 'set the "filename" option',
    # Back to the server by its socket: as the superuser, as anybody without a password, and as oneself.
    "CREATE EXTENSION dblink;SELECT dblink_connect_u('dbname=postgres')": "permission denied for function dblink_connect_u",
    "CREATE EXTENSION dblink;SELECT dblink_connect('dbname=postgres user=postgres')": "password or GSSAPI delegated credentials required",
    "CREATE EXTENSION dblink;SELECT dblink_connect('user=postgres password=x')": "could not establish connection",
    f"CREATE EXTENSION dblink; {_OWN}{_LOOP}": "could not establish connection",
    "SELECT pg_terminate_backend(pg_backend_pid())": "terminating connection due to administrator command",
}
ROLES = """
CREATE ROLE app; CREATE USER "Odd" LOGIN PASSWORD 'x'; ALTER ROLE app SET search_path = a; GRANT app TO "Odd";
CREATE SCHEMA s AUTHORIZATION app; CREATE SCHEMA AUTHORIZATION app;
CREATE TABLE s.t (id int PRIMARY KEY, x text COMPRESSION lz4); ALTER TABLE s.t ALTER x SET COMPRESSION lz4;
ALTER TABLE s.t OWNER TO app; ALTER TABLE s.t OWNER TO postgres; GRANT SELECT ON s.t TO app;
ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO public;
CREATE INDEX i ON s.t (x) TABLESPACE fast; CREATE TABLE app.u (id int PRIMARY KEY USING INDEX TABLESPACE fast) TABLESPACE slow;
SET ROLE app; RESET ROLE; SET SESSION AUTHORIZATION 'postgres';
CREATE POLICY p ON s.t TO app USING (true);
CREATE PUBLICATION every FOR ALL TABLES; CREATE SUBSCRIPTION su CONNECTION 'host=x' PUBLICATION p;
CREATE TABLESPACE fast LOCATION '/tmp/x'; SET default_tablespace = fast;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rw') THEN
        CREATE ROLE rw LOGIN; EXECUTE 'ALTER ROLE rw PASSWORD ''x'''; EXECUTE format('GRANT %I TO %I', 'rw', 'app');
    END IF;
    CREATE TABLE s.made (id int);
END $$;
DO $x$ BEGIN CREATE ROLE rw; EXCEPTION WHEN duplicate_object THEN NULL; END $x$;
COMMENT ON EXTENSION plpgsql IS 'x'; ALTER SCHEMA public OWNER TO pg_database_owner; ALTER DATABASE shop OWNER TO app;
DROP ROLE IF EXISTS rw;
"""
TRANSACTIONS = """
CREATE TABLE t (id int, x text); CREATE INDEX CONCURRENTLY i ON t (x);
CREATE TYPE e AS ENUM ('a'); ALTER TYPE e ADD VALUE 'b'; CREATE TABLE u (e e DEFAULT 'b');
CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1, 'a'); COMMIT; END $$;
CALL p(); VACUUM t; LOCK TABLE t; SET LOCAL search_path = public; CREATE TABLE v ();
BEGIN; CREATE TABLE gone (); ROLLBACK;
SAVEPOINT a; CREATE TABLE gone (); ROLLBACK TO a; CREATE TABLE w ()
"""
RELATIONS = """
SELECT array_agg(oid::regclass::text ORDER BY oid::regclass::text) FROM pg_class
WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^pg_|^information_schema'
"""
# Builds a database, and says so before it has finished.
BUILDER = """\
import sys
from pathlib import Path
from sqlwright.prove.scratch.schema import read_schema
from sqlwright.prove.scratch.database import scratch_database
from sqlwright.postgres.server import postgres_server
project = Path(sys.argv[1])
with postgres_server(project, {"SQLWRIGHT_DATABASE_URL": sys.argv[2]}) as server:
    with scratch_database(server, read_schema(project, ("1.sql",))):
        pass
"""


def schema_of(text: str) -> Schema:
    return Schema((SchemaFile("1.sql", text, text),), hashlib.sha256(text.encode()).hexdigest())


@pytest.fixture
def server(proof_server: str, tmp_path: Path) -> Iterator[Server]:
    with postgres_server(tmp_path, {"SQLWRIGHT_DATABASE_URL": proof_server}) as found:
        yield found


@pytest.mark.parametrize("text", HOSTILE)
def test_what_reaches_beyond_the_database_is_refused_by_postgresql_at_its_place(server: Server, text: str) -> None:
    with pytest.raises(CompileError) as caught, scratch_database(server, schema_of(text)):
        pass
    shown = format_diagnostic(caught.value.diagnostics[0])
    statement = text if text.startswith("DO") else text.removesuffix(_LOOP).rpartition(";")[2] or _LOOP
    assert HOSTILE[text] in shown
    assert f"  --> 1.sql:1:{text.index(statement) + 1}\n" in shown


def test_a_role_s_session_is_its_own_and_cannot_be_logged_in_to_again(server: Server) -> None:
    with scratch_database(server, schema_of("CREATE TABLE sessions (id int)")) as connection:
        row = connection.execute(
            "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls OR rolcanlogin, session_user = current_user"
            " FROM pg_roles WHERE rolname = session_user"
        ).fetchone()
        assert row == (False, True)
        assert connection.execute("SELECT count(*) FROM pg_auth_members WHERE member = session_user::regrole").fetchone() == (0,)


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("superuser", [True, False], ids=["superuser", "creator"])
def test_roles_and_transactions_on_every_version(servers: Servers, tmp_path: Path, major: int, *, superuser: bool) -> None:
    url = servers.conninfo(major)
    with psycopg.connect(url, autocommit=True) as admin:
        before = admin.execute("SELECT rolname FROM pg_roles WHERE rolname !~ '^sqlwright_' AND rolname <> 'creator'").fetchall()
        if not superuser:
            admin.execute("DROP ROLE IF EXISTS creator")
            admin.execute("CREATE ROLE creator LOGIN CREATEDB CREATEROLE PASSWORD 'x'")
            url = make_conninfo(url, user="creator", password="x")
        with postgres_server(tmp_path, {"SQLWRIGHT_DATABASE_URL": url}) as server:
            for text, made in ((ROLES, ["app.u", "s.made", "s.t"]), (TRANSACTIONS, ["t", "u", "v", "w"])):
                for _ in range(2):
                    with scratch_database(server, schema_of(text)) as connection:
                        row = connection.execute(RELATIONS).fetchone()
                        assert row is not None
                        assert row[0] == made
                with psycopg.connect(server.conninfo(), autocommit=True) as own:
                    for name, role in own.execute(
                        "SELECT datname, rolname FROM pg_database d JOIN pg_roles r ON r.oid = datdba WHERE datname ~ '^sqlwright_'"
                    ).fetchall():
                        own.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
                        own.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
        after = admin.execute("SELECT rolname FROM pg_roles WHERE rolname !~ '^sqlwright_' AND rolname <> 'creator'").fetchall()
        assert after == before
        if not superuser:
            admin.execute("DROP ROLE creator")


def test_a_superuser_s_extension_is_where_the_text_wants_it(server: Server) -> None:
    text = """
CREATE SCHEMA ext; CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA ext; COMMENT ON EXTENSION vector IS 'x';
CREATE EXTENSION citext; CREATE EXTENSION postgres_fdw; CREATE SERVER r FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h');
CREATE FOREIGN TABLE f (id int) SERVER r; CREATE TABLE v (v ext.vector(3));
DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS pg_stat_statements; END $$
"""
    with scratch_database(server, schema_of(text)) as connection:
        rows = connection.execute(
            "SELECT extname, extnamespace::regnamespace::text, extowner::regrole::text = session_user FROM pg_extension ORDER BY 1"
        ).fetchall()
    assert rows == [
        ("citext", "public", True),
        ("pg_stat_statements", "public", False),
        ("plpgsql", "pg_catalog", False),
        ("postgres_fdw", "public", False),
        ("vector", "ext", False),
    ]


def test_the_catalog_is_postgresql_s_own_whatever_the_text_puts_before_it(server: Server) -> None:
    text = """
CREATE TABLE pg_class (relname text); CREATE SCHEMA app; CREATE TABLE app.t (id int);
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = app, public, pg_catalog', current_database()); END $$;
"""
    with scratch_database(server, schema_of(text)) as connection:
        assert connection.execute("SELECT count(*) > 100 FROM pg_class").fetchone() == (True,)
        assert connection.execute("SELECT to_regclass('t')::text").fetchone() == ("t",)


def test_a_file_without_a_statement_changes_nothing(server: Server) -> None:
    with scratch_database(server, schema_of("")) as connection:
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchone() == (0,)


def test_a_transaction_that_would_outlive_the_session_is_refused_before_it_is_prepared(server: Server) -> None:
    with pytest.raises(CompileError) as caught, scratch_database(server, schema_of("BEGIN;\n/* */ PREPARE TRANSACTION 'x';")):
        pass
    assert format_diagnostic(caught.value.diagnostics[0]) == (
        "error: the schema leaves a prepared transaction\n"
        "  --> 1.sql:2:7\n"
        "    |\n"
        "  2 | /* */ PREPARE TRANSACTION 'x';\n"
        "    |       ^\n"
        "  help: it would outlive its session: end the transaction by COMMIT."
    )


def test_a_deferred_constraint_is_reported_where_its_file_ends(server: Server) -> None:
    text = "CREATE TABLE a (id int PRIMARY KEY, up int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO a VALUES (1, 2);\n"
    with pytest.raises(CompileError) as caught, scratch_database(server, schema_of(text)):
        pass
    assert 'violates foreign key constraint "a_up_fkey"\n  --> 1.sql:2:1' in format_diagnostic(caught.value.diagnostics[0])


def test_rows_of_a_dump_are_an_error_with_a_fix(server: Server) -> None:
    with pytest.raises(CompileError) as caught, scratch_database(server, schema_of("CREATE TABLE t (id int);\nCOPY t FROM STDIN;\n")):
        pass
    assert format_diagnostic(caught.value.diagnostics[0]) == (
        "error: COPY FROM STDIN has no data to read here\n"
        "  --> 1.sql:2:1\n"
        "    |\n"
        "  2 | COPY t FROM STDIN;\n"
        "    | ^\n"
        "  help: a schema needs no rows: leave them out (pg_dump --schema-only)."
    )


def test_a_database_in_use_outlives_any_number_of_newer_ones(server: Server) -> None:
    with scratch_database(server, schema_of("CREATE TABLE old (id int)")) as connection:
        for number in range(10):
            with scratch_database(server, schema_of(f"CREATE TABLE newer_{number} (id int)")):
                pass
        assert connection.execute("SELECT count(*) FROM old").fetchone() == (0,)
    with scratch_database(server, schema_of("CREATE TABLE newest (id int)")), psycopg.connect(server.conninfo()) as admin:
        assert admin.execute("SELECT count(*) <= 9 FROM pg_database WHERE datname ~ '^sqlwright_'").fetchone() == (True,)


def test_a_database_that_is_dropped_and_built_again_meanwhile_is_entered_as_its_new_owner(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = schema_of("CREATE TABLE replaced (id int)")
    with scratch_database(server, schema) as connection:
        name = connection.info.dbname
    identifier, role = sql.Identifier(name), sql.Identifier(f"{name}_{'f' * 8}")
    token_hex = secrets.token_hex

    def replace_first(length: int) -> str:
        """Replace the database at the moment in which a password is chosen for the owner it had."""
        monkeypatch.undo()
        with psycopg.connect(server.conninfo(), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {}").format(identifier))
            admin.execute(sql.SQL("CREATE ROLE {}").format(role))
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, role))
        return token_hex(length)

    monkeypatch.setattr(secrets, "token_hex", replace_first)
    with scratch_database(server, schema) as connection:
        owner = "SELECT datdba = current_user::regrole FROM pg_database WHERE datname = current_database()"
        assert connection.execute(owner).fetchone() == (True,)


def test_a_text_that_makes_its_database_a_template_keeps_it_no_longer_than_any_other(server: Server) -> None:
    template = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I IS_TEMPLATE true', current_database()); END $$;"
    with scratch_database(server, schema_of(template)) as connection:
        name = connection.info.dbname
    with pytest.raises(CompileError), scratch_database(server, schema_of(f"{template} SELECT 1 / 0;")):
        pass
    for number in range(10):
        with scratch_database(server, schema_of(f"CREATE TABLE after_{number} (id int)")):
            pass
    with psycopg.connect(server.conninfo()) as admin:
        there = "SELECT count(*) FROM pg_database WHERE datname = %s OR datname ~ '^sqlwright_' AND datistemplate"
        assert admin.execute(there, [name]).fetchone() == (0,)


def test_a_database_whose_dropping_was_interrupted_is_dropped_and_built_again(server: Server) -> None:
    schemas = [schema_of(f"CREATE TABLE interrupted_{number} (id int)") for number in range(2)]
    names: list[str] = []
    for schema in schemas:
        with scratch_database(server, schema) as connection:
            names.append(connection.info.dbname)
    # DROP DATABASE does this first, so that no one uses a partly removed database.
    invalidate = "UPDATE pg_database SET datconnlimit = -2 WHERE datname = ANY(%s)"
    remains = "SELECT datname FROM pg_database WHERE datconnlimit = -2"
    # The remains of a database, with roles of which nothing else is left.
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute(invalidate, [names])
        admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(f"sqlwright_{'0' * 24}_{'0' * 8}")))
        with scratch_database(server, schemas[0]) as connection:
            assert connection.execute("SELECT count(*) FROM interrupted_0").fetchone() == (0,)
        assert admin.execute(remains).fetchall() == []
        assert admin.execute("SELECT FROM pg_roles WHERE rolname ~ '^sqlwright_0{24}_'").fetchone() is None


def test_what_a_killed_run_leaves_is_removed_by_the_next(server: Server, proof_server: str, tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text(f"CREATE TABLE killed_{os.getpid()} (); SELECT pg_sleep(600);", encoding="utf-8")
    unfinished = "SELECT count(*) FROM pg_database WHERE datname ~ '^sqlwright_[0-9a-f]{24}_'"
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname ~ '^sqlwright_[0-9a-f]{24}_' AND wait_event = 'PgSleep'"
    with psycopg.connect(proof_server, autocommit=True) as admin:
        builder = subprocess.Popen([sys.executable, "-c", BUILDER, str(tmp_path), proof_server])
        while admin.execute(sleeping).fetchone() == (0,):
            assert builder.poll() is None
        # It is in use: not a run's to remove.
        with scratch_database(server, schema_of("CREATE TABLE bystander (id int)")):
            assert admin.execute(unfinished).fetchone() == (1,)
        builder.send_signal(signal.SIGKILL)
        builder.wait()
        while admin.execute(sleeping).fetchone() != (0,):
            pass
        with scratch_database(server, schema_of("CREATE TABLE bystander (id int)")):
            assert admin.execute(unfinished).fetchone() == (0,)
        idle = "SELECT count(*) FROM pg_roles r WHERE rolname ~ '^sqlwright_' AND NOT EXISTS (SELECT FROM pg_database WHERE datdba = r.oid)"
        assert admin.execute(idle).fetchone() == (0,)


def test_a_server_that_dies_is_reported_in_a_sentence(tmp_path: Path, ready_cluster: ReadyCluster) -> None:
    ready_cluster.copy_to(tmp_path)

    def prove() -> None:
        schema = schema_of("CREATE TABLE t (id int)")
        with postgres_server(tmp_path, {}) as server, scratch_database(server, schema) as connection:
            pid = int((tmp_path / ".sqlwright/postgres/postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
            os.kill(pid, signal.SIGKILL)
            while True:
                connection.execute("SELECT 1")

    with pytest.raises(ServerUnavailable, match="the embedded PostgreSQL failed while it was proving: "):
        prove()
