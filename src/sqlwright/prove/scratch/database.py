"""The scratch database: the schema's files built once, and kept on the server under the hash of their text.

Schema and queries are other people's text. They run in sessions of a role that owns the scratch database and nothing else, logged in as
that role, so that there is nothing to RESET to. It may log in for no longer than it takes us to do so: from inside a session there is no
way back to the server, as itself or as any other. What needs a superuser is done before the first line of the text runs, see `extensions`.

The database and its role are named alike, and go together.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql

from sqlwright.postgres.server import Server
from sqlwright.prove.scratch import extensions
from sqlwright.prove.scratch.execution import execute_schema
from sqlwright.prove.scratch.schema import Schema

_PREFIX = "sqlwright_"
# Raise it when databases are built in another way, so that those of before are not taken.
_FORM = 2
# Older scratch databases beyond this number are dropped: a rebuild costs well under a second.
_KEPT = 8
_ITERATIONS_SINCE = 16
_STRATEGIES_SINCE = 15
_COMPLETE = f"^{_PREFIX}[0-9a-f]{{24}}$"
_UNFINISHED = f"^{_PREFIX}[0-9a-f]{{24}}_[0-9a-f]{{8}}$"

# A database in use has sessions; one that is being built has at least its builder's, which bears its name.
# An interrupted DROP DATABASE leaves an invalid one, with a limit of -2: nothing but the next DROP DATABASE is allowed, and any other
# statement about it ends the session that sent it.
_UNUSED_DATABASES = """
SELECT d.datname, d.datconnlimit = -2 FROM pg_database d
WHERE d.datname ~ %s AND pg_has_role(d.datdba, 'MEMBER')
  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname OR a.application_name = d.datname)
ORDER BY d.oid DESC
"""
_UNUSED_ROLES = """
SELECT r.rolname FROM pg_roles r
WHERE r.rolname ~ %s AND pg_has_role(r.oid, 'MEMBER')
  AND NOT EXISTS (SELECT FROM pg_database d WHERE d.datdba = r.oid)
  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = r.rolname)
"""
_OWNER = "SELECT r.rolname, d.datconnlimit = -2 FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = %s"


@contextmanager
def scratch_database(server: Server, schema: Schema) -> Generator[psycopg.Connection[Any], None, None]:
    """Connect to a database that holds the schema and no rows, building it if there is none yet.

    Raises:
        CompileError: PostgreSQL refuses one of the schema files.
        psycopg.OperationalError: the server ended.
    """
    with _administration(server) as admin:
        name = _name(admin, server, schema)
        while (connection := _enter(admin, server, name)) is None:
            _build(admin, server, schema, name)
        # The run has what it needs, whatever becomes of this connection.
        with suppress(psycopg.OperationalError):
            _clean_up(admin)
    with connection:
        # Wherever the text may have put it, PostgreSQL's own catalog comes first: what is read there is the truth about the schema.
        connection.execute(
            "SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', 'pg_catalog',"
            " nullif(pg_catalog.current_setting('search_path'), '')), false)"
        )
        yield connection


@contextmanager
def _administration(server: Server) -> Generator[psycopg.Connection[Any]]:
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        # Others may own the schemas of this database: nothing of theirs is ever called.
        admin.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog', false)")
        if server.major >= _ITERATIONS_SINCE:
            # Both sides hash a password thousands of times so that it is hard to guess; ours are 128 random bits.
            admin.execute("SET scram_iterations = 1")
        yield admin


def _name(admin: psycopg.Connection[Any], server: Server, schema: Schema) -> str:
    """Name the database. It is of one user, since no other may log in as its owner; superusers share theirs."""
    user = "" if server.superuser else admin.info.user
    return _PREFIX + hashlib.sha256(f"{_FORM}\0{schema.digest}\0{user}".encode()).hexdigest()[:24]


def _enter(admin: psycopg.Connection[Any], server: Server, name: str) -> psycopg.Connection[Any] | None:
    """Log in to a database as its owner; None where there is no such database."""
    # One at a time, since each run gives the role another password.
    admin.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
    try:
        owner = _owner(admin, name)
        if owner is None:
            return None
        try:
            connection = _log_in(admin, server, name, owner)
        except psycopg.Error:
            # Another run may have dropped it as an old one in this moment, or another one built it again.
            if _owner(admin, name) != owner:
                return None
            raise
        if _owner(admin, name) == owner:
            return connection
        connection.close()
        return None
    finally:
        with suppress(psycopg.OperationalError):
            admin.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def _owner(admin: psycopg.Connection[Any], name: str) -> str | None:
    """Return the role that owns a database; None where there is no such database, or no more than the remains of one, which it removes."""
    row = admin.execute(_OWNER, [name]).fetchone()
    if row is None:
        return None
    owner, is_invalid = row
    if is_invalid:
        # Waits for the run that is dropping it just now.
        _drop(admin, name, force=True)
        return None
    return str(owner)


def _log_in(admin: psycopg.Connection[Any], server: Server, database: str, role: str) -> psycopg.Connection[Any]:
    password = secrets.token_hex(16)
    # Hashed here, so that no log of statements shows it.
    verifier = admin.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    admin.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))
    try:
        connection = psycopg.connect(server.conninfo(database, user=role, password=password), autocommit=True)
    finally:
        with suppress(psycopg.OperationalError):
            admin.execute(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(sql.Identifier(role)))
    # Nothing here has to survive a crash.
    connection.execute("SET synchronous_commit = off")
    # When we are killed, a long statement ends too; not every server's system can notice that.
    with suppress(psycopg.errors.InvalidParameterValue):
        connection.execute("SET client_connection_check_interval = '1s'")
    return connection


def _build(admin: psycopg.Connection[Any], server: Server, schema: Schema, name: str) -> None:
    """Build under a name of our own and rename when it is complete: a half-built database is never found under the hash."""
    building = f"{name}_{secrets.token_hex(4)}"
    admin.execute("SELECT set_config('application_name', %s, false)", [building])
    try:
        _create(admin, server, building)
        prepared = extensions.prepare(server, building, schema) if server.superuser else extensions.NONE
        with _log_in(admin, server, building, building) as connection:
            execute_schema(connection, schema, prepared)
        admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(building), sql.Identifier(name)))
    except BaseException as error:
        with suppress(psycopg.Error):
            _drop(admin, building, force=True)
            admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(building)))
        # Another process was faster, and its database serves us too; in a close race it is the catalog's own index that refuses.
        if not isinstance(error, psycopg.errors.DuplicateDatabase | psycopg.errors.UniqueViolation):
            raise
    finally:
        with suppress(psycopg.OperationalError):
            admin.execute("RESET application_name")


def _create(admin: psycopg.Connection[Any], server: Server, name: str) -> None:
    identifier = sql.Identifier(name)
    admin.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(identifier))
    if not server.superuser:
        # Creating a role does not yet allow to make it the owner of anything.
        admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(identifier))
    # To copy files takes half of what it takes to log their pages, and two checkpoints, which wait for the disk where the server does.
    row = admin.execute("SELECT current_setting('fsync')").fetchone()
    copied = row == ("off",) and server.major >= _STRATEGIES_SINCE
    made = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(identifier, identifier)
    admin.execute(made + sql.SQL(" STRATEGY FILE_COPY" if copied else ""))
    if server.control_path:
        path = sql.Literal(server.control_path)
        admin.execute(sql.SQL("ALTER DATABASE {} SET extension_control_path = {}").format(identifier, path))


def _clean_up(admin: psycopg.Connection[Any]) -> None:
    """Drop the oldest scratch databases, and what killed runs have left; nothing that a run uses.

    What cannot be dropped now stays for a later run: the text of one project must not keep another from being proven.
    """
    complete = admin.execute(_UNUSED_DATABASES, [_COMPLETE]).fetchall()
    unfinished = admin.execute(_UNUSED_DATABASES, [_UNFINISHED]).fetchall()
    invalid = [name for name, is_invalid in complete if is_invalid]
    usable = [name for name, is_invalid in complete if not is_invalid]
    for old in (*invalid, *usable[_KEPT:], *(name for name, _ in unfinished)):
        with suppress(psycopg.Error):
            _drop(admin, old, force=False)
    for (role,) in admin.execute(_UNUSED_ROLES, [_UNFINISHED]).fetchall():
        with suppress(psycopg.Error):
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def _drop(admin: psycopg.Connection[Any], database: str, *, force: bool) -> None:
    identifier = sql.Identifier(database)
    # The text owns the database, and may have made it a template, which PostgreSQL does not drop.
    if admin.execute("SELECT FROM pg_database WHERE datname = %s AND datistemplate", [database]).fetchone() is not None:
        admin.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(identifier))
    statement = "DROP DATABASE IF EXISTS {} WITH (FORCE)" if force else "DROP DATABASE {}"
    admin.execute(sql.SQL(statement).format(identifier))
