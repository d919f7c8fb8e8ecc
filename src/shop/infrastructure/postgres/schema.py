"""The version of the schema, by dbmate's table of applied migrations."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

SCHEMA_VERSION = "20261122082000"
"""The newest migration that this code requires."""


class OutdatedSchema(Exception):
    """Migrations that this code requires are not applied. The message says what to do."""


async def schema_version(conn: AsyncConnection[Any]) -> str:
    """Return the version of the schema. A newer one than this code requires is accepted, as during a deployment.

    Raises:
        OutdatedSchema: it is older.
        UndefinedTable: no migration was ever applied.
    """
    row = await (await conn.execute("SELECT max(version) FROM schema_migrations")).fetchone()
    version: str | None = row[0] if row else None
    if version is None or version < SCHEMA_VERSION:
        raise OutdatedSchema(f"the schema is at version {version or 'none'}, but this code requires {SCHEMA_VERSION}")
    return version
