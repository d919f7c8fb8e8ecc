"""The rights of the service's role: exactly those that its queries need.

They are here and not in the migrations, because roles belong to the whole server and not to one database: a migration that names one
fails where the role is missing and the owner may not create it. A migration that adds a table is followed by a line here, and then by
`shop database grant`. A test verifies that the queries need every right in this list, and no other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection, sql

from shop.infrastructure.postgres.administration.owner import NotTheOwner

RIGHTS: Final[Mapping[LiteralString, LiteralString]] = {
    "answers": "SELECT, INSERT, DELETE",
    # Neither the id nor the time of an entry, so that none can be antedated.
    "audit_log": "SELECT, INSERT (actor, action, subject, origin, outcome, metadata, trace_id)",
    # For the health check.
    "audit_log_default": "SELECT",
    # DELETE also is the right to lock a whole table, as the rebuild of the sales does.
    "daily_sales": "SELECT, INSERT, UPDATE (orders, revenue_minor), DELETE",
    # Not the digests. Written by a trigger.
    "erasures": "SELECT (user_id, erased_at, cleared_at, finished_at)",
    # Written by a trigger.
    "former_addresses": "SELECT",
    "inbox": "SELECT, INSERT, UPDATE (event_type, attempts, last_error, handled_at, dead_at, dead_message, claimed_until), DELETE",
    "login_attempts": "SELECT, INSERT, UPDATE (attempts, since), DELETE",
    "notices": "SELECT, INSERT, UPDATE (day, sent, messages), DELETE",
    # Only together with their order, as triggers verify by the transaction that placed it. So nobody may choose that.
    "order_lines": "SELECT, INSERT",
    "orders": ("SELECT, INSERT (id, user_id, status, currency, total_minor, placed_at, updated_at), UPDATE (status, updated_at, version)"),
    "outbox": (
        "SELECT, INSERT (aggregate, event_type, event_version, payload, trace_id, traceparent), DELETE, "
        "UPDATE (attempts, due_at, last_error, published_at, dead_at, claim, claimed_until, stream, stream_sequence)"
    ),
    # For the health check.
    "schema_migrations": "SELECT",
    "users": (
        # Neither the time since when a user has the address, nor an erasure, so that no period can be antedated.
        "SELECT, INSERT (id, first_name, last_name, email, phone, password, created_at, updated_at), DELETE, "
        "UPDATE (first_name, last_name, email, email_by_user, phone, password, role, updated_at, version, erased_at, session_generation)"
    ),
    # It changes rows that the service may not change otherwise, and only those about users who were erased or deleted.
    "FUNCTION erase_traces(uuid, integer)": "EXECUTE",
    "FUNCTION forget_logins(timestamptz, integer)": "EXECUTE",
}
"""The rights on each table and function."""

# An arbitrary number: of two calls at the same time, one would fail to update a row of the catalogue.
_LOCK: Final = 7_318_664_021

_PRIVILEGE: Final = re.compile(r"([A-Z]+)(?: \(([^)]*)\))?")
# An unknown table has no rights that could be missing: then migrations are.
_MISSING: Final = """
    SELECT DISTINCT wanted."right" || ' on ' || wanted.subject
    FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (subject, "column", "right")
    WHERE NOT CASE
        WHEN wanted."right" = 'EXECUTE' THEN has_function_privilege(to_regprocedure(wanted.subject), 'EXECUTE')
        WHEN wanted."column" = '' THEN has_table_privilege(to_regclass(wanted.subject), wanted."right")
        ELSE has_column_privilege(to_regclass(wanted.subject), wanted."column", wanted."right")
    END
    ORDER BY 1
"""
_OWNED: Final = """
    SELECT count(*) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname::text = ANY(%s) AND pg_has_role(%s::name, relowner, 'member')
"""


async def grant_rights(conn: AsyncConnection[Any], role: str) -> bool:
    """Let a role have exactly the rights of the service, and return whether it was created: as a group, which cannot log in.

    Raises `NotTheOwner` for a role that is, or is a member of, the owner: it may do everything anyway.
    """
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    name = sql.Identifier(role)
    found = await (await conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])).fetchone()
    if found is None:
        await conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
    elif await (await conn.execute(_OWNED, [list(RIGHTS), role])).fetchone() != (0,):
        raise NotTheOwner(
            f"{role} owns the tables, is a member of their owner, or is a superuser: it may do everything; grant the rights to another role"
        )
    for kind in ("TABLES", "SEQUENCES", "ROUTINES"):
        await conn.execute(sql.SQL("REVOKE ALL ON ALL {} IN SCHEMA public FROM {}").format(sql.SQL(kind), name))
    await conn.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name))
    for what, rights in RIGHTS.items():
        await conn.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), sql.SQL(what), name))
    return found is None


async def missing_rights(conn: AsyncConnection[Any]) -> Sequence[str]:
    """Return the rights that the role of a connection lacks, as in `SELECT on users`."""
    wanted = [
        (what.removeprefix("FUNCTION "), column.strip(), privilege)
        for what, rights in RIGHTS.items()
        for privilege, columns in _PRIVILEGE.findall(rights)
        for column in columns.split(",")
    ]
    rows = await (await conn.execute(_MISSING, [list(each) for each in zip(*wanted, strict=True)])).fetchall()
    return [str(right) for (right,) in rows]
