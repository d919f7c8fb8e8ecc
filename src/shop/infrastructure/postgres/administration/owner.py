"""Connections of the owner of the tables."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg.errors import InsufficientPrivilege, LockNotAvailable, UndefinedColumn, UndefinedFunction, UndefinedTable

from shop.application.cancellation import cancellation_first
from shop.infrastructure.postgres.connection import Connection, NotReplicated
from shop.infrastructure.postgres.errors import message_of
from shop.infrastructure.postgres.pool import DatabaseNotReady

# Behind a waiting lock of the owner, every statement of the service waits too.
_LOCK_TIMEOUT = "2s"


class NotTheOwner(Exception):
    """The database URL is not that of the owner of the tables, or of a role with the necessary rights. The message says what is missing."""


@asynccontextmanager
async def owner_transaction(database_url: str) -> AsyncGenerator[AsyncConnection[Any]]:
    """Begin a transaction of the owner, which is committed at the end of the block. Raises `DatabaseNotReady` or `NotTheOwner`."""
    try:
        with cancellation_first():
            opened = await Connection.connect(database_url, connect_timeout=5)
    except Error as error:
        raise DatabaseNotReady(f"cannot connect to PostgreSQL: {message_of(error)}") from None
    try:
        with cancellation_first():
            async with opened as conn:
                await conn.execute("SELECT set_config('lock_timeout', %s, true)", [_LOCK_TIMEOUT])
                yield conn
    except InsufficientPrivilege as error:
        # PostgreSQL's own message, which contains only names.
        raise NotTheOwner(f"{error.diag.message_primary}; set DATABASE_URL to the URL of the owner of the tables") from None
    except LockNotAvailable:
        raise DatabaseNotReady("a table is locked by another transaction; try again") from None
    except (UndefinedTable, UndefinedColumn, UndefinedFunction) as error:
        # As above.
        raise DatabaseNotReady(f"the migrations are not applied ({error.diag.message_primary}); run: dbmate -d migrations up") from None
    except NotReplicated as error:
        raise DatabaseNotReady(f"{error}; everything was changed on this server: run the command again when the standby answers") from None
    except Error as error:
        raise DatabaseNotReady(f"PostgreSQL refused: {message_of(error)}; nothing was changed") from None
    finally:
        # The driver leaves it open after a failed commit.
        await opened.close()
