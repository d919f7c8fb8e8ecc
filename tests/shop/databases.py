"""Databases for tests: copies of a migrated one, which are emptied and reused if only their rows were changed."""

from __future__ import annotations

import uuid
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import Connection, sql

# A copy is about 300 files: creating and removing one for each test would take longer than most tests.
_SCHEMA = """
    SELECT md5(string_agg(item, chr(10) ORDER BY item COLLATE "C"))
    FROM (
        SELECT concat_ws(' ', 'relation', oid, relname, relkind, relhastriggers, relacl, reloptions)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', 'column', attrelid, attname, atttypid, atttypmod, attnotnull, attisdropped)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', 'default', oid, pg_get_expr(adbin, adrelid)) FROM pg_attrdef
        UNION ALL
        SELECT concat_ws(' ', 'constraint', oid, conname) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', 'trigger', oid, tgname, tgenabled) FROM pg_trigger
        UNION ALL
        SELECT concat_ws(' ', 'function', oid, proname, md5(prosrc)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', 'setting', setrole, setconfig) FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
        WHERE datname = current_database()
        UNION ALL
        SELECT concat_ws(' ', 'statistics', starelid) FROM pg_statistic JOIN pg_class ON pg_class.oid = starelid
        WHERE relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', 'migration', version) FROM schema_migrations
    ) AS items (item)
"""
_SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
# So many bytes or less are planned for like an empty table, if it was never vacuumed, and deleting them is faster than new files are.
_SMALL = 8192 * 8
# A table that was vacuumed is planned for otherwise than a new one, also if it is empty.
_USED = """
    SELECT relname, reltuples >= 0 OR pg_relation_size(oid) > %s FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'schema_migrations'
      AND (pg_relation_size(oid) > 0 OR reltuples >= 0)
"""
_RESTART = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'"
# How many of the least recently used databases are checked before another copy is created.
_CANDIDATES = 3
# The application name of the sessions that empty databases. They stay: a new one reads the catalogue from the start, which takes the server
# longer than most tests.
KEPT = "test databases"


class Databases:
    """The databases of one server."""

    def __init__(self, server_url: str, admin: Connection[Any]) -> None:
        self._server_url = server_url
        self._admin = admin
        self._used: deque[str] = deque()
        self._kept: dict[str, Connection[Any]] = {}
        self._schemas: dict[str, str] = {}
        self.created: list[str] = []
        # Roles belong to the whole server, which other test runs may use too.
        self.service = f"shop_test_{uuid.uuid4().hex}"
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 's3cret'").format(sql.Identifier(self.service)))

    def copy(self, template: str) -> str:
        """Create a database as a copy of the named one, and return its URL."""
        name = f"shop_test_{uuid.uuid4().hex}"
        # A database with sessions cannot be copied.
        self._forget(self._url(template))
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        self._admin.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
        self.created.append(name)
        return self._url(name)

    def close(self) -> None:
        """Close the sessions that are kept."""
        for url in [*self._kept]:
            self._forget(url)

    def as_service(self, database_url: str) -> str:
        """Return the URL of a database for the service's role."""
        url = urlsplit(database_url)
        return url._replace(netloc=f"{self.service}:s3cret@{url.netloc.rpartition('@')[2]}").geturl()

    def lend(self, template: str) -> str:
        """Return the URL of an empty database with the schema of the template: one that was used before, or a new one."""
        for _ in range(min(_CANDIDATES, len(self._used))):
            url = self._used.popleft()
            match self._emptied(url, self._schemas[template]):
                case True:
                    return url
                case None:
                    self._used.append(url)
                case False:
                    self._forget(url)
        url = self.copy(template)
        if template not in self._schemas:
            self._schemas[template] = _schema_of(self._session(url))
        return url

    def give_back(self, url: str) -> None:
        """Make a database available for reuse."""
        self._used.append(url)

    def _emptied(self, url: str, schema: str) -> bool | None:
        """Empty a database and return whether its schema is unchanged; None while there are other sessions."""
        try:
            others = self._session(url).execute(_SESSIONS).fetchone()
        except psycopg.OperationalError:
            # The test has ended all sessions.
            self._forget(url)
            others = self._session(url).execute(_SESSIONS).fetchone()
        if others != (0,):
            return None
        conn = self._session(url)
        if _schema_of(conn) != schema:
            return False
        used: list[tuple[str, bool]] = conn.execute(_USED, (_SMALL,)).fetchall()
        for name, is_large in used:
            empty = sql.SQL("TRUNCATE {} CASCADE" if is_large else "DELETE FROM {}")
            conn.execute(empty.format(sql.Identifier(name)))
        conn.execute(_RESTART)
        return True

    def _session(self, url: str) -> Connection[Any]:
        if url not in self._kept:
            conn = self._kept[url] = psycopg.connect(url, autocommit=True, application_name=KEPT)
            # Disables the trigger that protects the audit log.
            conn.execute("SET session_replication_role = replica")
        return self._kept[url]

    def _forget(self, url: str) -> None:
        if url in self._kept:
            self._kept.pop(url).close()

    def _url(self, name: str) -> str:
        return urlsplit(self._server_url)._replace(path=f"/{name}").geturl()


def _schema_of(conn: Connection[Any]) -> str:
    row = conn.execute(_SCHEMA).fetchone()
    assert row is not None
    return str(row[0])
