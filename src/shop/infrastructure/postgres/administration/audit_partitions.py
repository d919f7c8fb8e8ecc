"""The partitions of the audit log: one for each month, created before it begins and dropped when its entries need no longer be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection, sql

from shop.application.context import Context
from shop.application.transactions.audit import AuditEntry, AuditOutcome
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.transactions.audit_log import PostgresAuditLog

# So many months may pass until the command runs again.
_AHEAD: Final = 3
_LOCK: Final = 7_318_664_022

# Months of UTC, as in the migration. A bound is written with its offset, so the time zone of the session makes no difference.
_MISSING: Final = """
    WITH partitions AS (
        SELECT
            coalesce(substring(pg_get_expr(relpartbound, pg_class.oid) FROM 'FROM \\(''(.+)''\\) TO')::timestamptz, '-infinity') AS begins,
            substring(pg_get_expr(relpartbound, pg_class.oid) FROM 'TO \\(''(.+)''\\)')::timestamptz AS ends
        FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'audit_log'::regclass AND pg_get_expr(relpartbound, pg_class.oid) <> 'DEFAULT'
    ),
    wanted AS (
        SELECT month AS begins FROM generate_series(0, %(ahead)s) AS number,
            LATERAL (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + number * interval '1 month') AS counted (month)
        UNION
        -- Months whose partition was missing when their entries were written.
        SELECT date_trunc('month', at AT TIME ZONE 'UTC') FROM audit_log_default
    )
    SELECT
        to_char(wanted.begins, '"audit_log_"YYYY_MM'),
        wanted.begins AT TIME ZONE 'UTC',
        (wanted.begins + interval '1 month') AT TIME ZONE 'UTC'
    FROM wanted
    WHERE NOT EXISTS (
        SELECT FROM partitions
        WHERE begins <= wanted.begins AT TIME ZONE 'UTC' AND ends > wanted.begins AT TIME ZONE 'UTC'
    )
    ORDER BY wanted.begins
"""
_EXPIRED: Final = """
    SELECT relname, ends
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid,
        LATERAL (SELECT substring(pg_get_expr(relpartbound, pg_class.oid) FROM 'TO \\(''(.+)''\\)')::timestamptz) AS bound (ends)
    WHERE inhparent = 'audit_log'::regclass
      AND ends <= (date_trunc('month', now() AT TIME ZONE 'UTC') - %(keep)s * interval '1 month') AT TIME ZONE 'UTC'
    ORDER BY ends
"""
_TRIGGER: Final[LiteralString] = """
    CREATE TRIGGER audit_log_append_only BEFORE DELETE OR TRUNCATE ON {}
        FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change()
"""
_MOVE: Final[LiteralString] = """
    WITH moved AS (DELETE FROM audit_log_default WHERE at >= %s AND at < %s RETURNING *)
    INSERT INTO {} SELECT * FROM moved
"""


@dataclass(frozen=True, slots=True)
class MaintainedPartitions:
    """The partitions that were created and dropped, and the number of entries that were in the default partition."""

    created: Sequence[str]
    dropped: Sequence[str]
    moved: int


async def maintain_partitions(conn: AsyncConnection[Any], context: Context, keep: int | None) -> MaintainedPartitions:
    """Create the partitions of this month and the next ones, and drop those that ended more than `keep` months ago; None keeps all.

    Entries without a partition of their month are moved to one. What is dropped is recorded in the audit log, in the same transaction.
    """
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    # Nobody writes to it until the end of the transaction: an entry that belongs into a new partition must not be written here meanwhile.
    await conn.execute("LOCK TABLE audit_log_default IN SHARE ROW EXCLUSIVE MODE")
    missing = await (await conn.execute(_MISSING, {"ahead": _AHEAD})).fetchall()
    moved = 0
    for name, begins, ends in missing:
        moved += await _create(conn, name, begins, ends)
    expired = [] if keep is None else await (await conn.execute(_EXPIRED, {"keep": keep})).fetchall()
    audit = PostgresAuditLog(Queries(conn))
    for name, ends in expired:
        dropped = {"entries": str(await _drop(conn, name)), "until": ends.isoformat()}
        await audit.append(AuditEntry(context, "audit.drop", f"partition:{name}", AuditOutcome.DONE, dropped))
    return MaintainedPartitions([name for name, *_ in missing], [name for name, _ in expired], moved)


async def _create(conn: AsyncConnection[Any], name: str, begins: datetime, ends: datetime) -> int:
    table = sql.Identifier(name)
    # Attached when it is complete: PostgreSQL would not create a partition whose rows are in the default one.
    await conn.execute(
        sql.SQL("CREATE TABLE {} (LIKE audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)").format(table)
    )
    await conn.execute("ALTER TABLE audit_log_default DISABLE TRIGGER audit_log_append_only")
    moved = await conn.execute(sql.SQL(_MOVE).format(table), [begins, ends])
    await conn.execute("ALTER TABLE audit_log_default ENABLE TRIGGER audit_log_append_only")
    await conn.execute(sql.SQL(_TRIGGER).format(table))
    attach = sql.SQL("ALTER TABLE audit_log ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})")
    await conn.execute(attach.format(table, sql.Literal(begins.isoformat()), sql.Literal(ends.isoformat())))
    return moved.rowcount


async def _drop(conn: AsyncConnection[Any], name: str) -> int:
    table = sql.Identifier(name)
    # No entry is added to a month that has passed, so the number stays true.
    row = await (await conn.execute(sql.SQL("SELECT count(*) FROM {}").format(table))).fetchone()
    await conn.execute(sql.SQL("DROP TABLE {}").format(table))
    return 0 if row is None else int(row[0])
