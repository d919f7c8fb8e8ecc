"""Connections of the owner of the tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg.errors import InsufficientPrivilege, LockNotAvailable, UndefinedColumn, UndefinedFunction, UndefinedTable

from shop.application.cancellation import cancellation_first
from shop.application.transactions.failures import CommitOutcomeUnknown
from shop.infrastructure.postgres.connection import Connection
from shop.infrastructure.postgres.errors import commit, message_of
from shop.infrastructure.postgres.pool import DatabaseNotReady, make_durable
from shop_db import answers

# Behind a waiting lock of the owner, every statement of the service waits too.
_LOCK_TIMEOUT = "2s"


class NotTheOwner(Exception):
    """The database URL is not that of the owner of the tables, or of a role with the necessary rights. The message says what is missing."""


@asynccontextmanager
async def owner_transaction(database_url: str, seconds: float) -> AsyncGenerator[AsyncConnection[Any]]:
    """Begin a transaction of the owner, which is committed at the end of the block, also on the synchronous standbys.

    The block has so many seconds, and then the commit as many.

    Raises:
        DatabaseNotReady: nothing was changed.
        NotTheOwner: nothing was changed.
        CommitOutcomeUnknown: everything was changed, or nothing, or a synchronous standby may lack it.
    """
    try:
        with cancellation_first():
            opened = await Connection.connect(database_url, connect_timeout=5)
    except Error as error:
        raise DatabaseNotReady(f"cannot connect to PostgreSQL: {message_of(error)}") from None
    try:
        async with asyncio.timeout(seconds) as limit:
            with cancellation_first():
                await make_durable(opened)
                await opened.execute("SELECT set_config('lock_timeout', %s, true)", [_LOCK_TIMEOUT])
                yield opened
                # A transaction that changes nothing would wait for no standby, which may lack what an earlier one changed.
                await answers.mark_log(opened)
            # The commit has its own limit, at which its outcome is unknown.
            limit.reschedule(None)
            opened.patience = seconds
            with cancellation_first():
                await commit(opened)
    except CommitOutcomeUnknown as error:
        raise CommitOutcomeUnknown(
            f"{error}; the outcome is unknown: check the database and its standbys, and run the command again: what is done is not repeated"
        ) from None
    except TimeoutError:
        raise DatabaseNotReady(
            f"not done within {seconds:g} s, so nothing was changed; if the database answers, raise the setting use_case_timeout"
        ) from None
    except InsufficientPrivilege as error:
        # PostgreSQL's own message, which contains only names.
        raise NotTheOwner(f"{error.diag.message_primary}; set DATABASE_URL to the URL of the owner of the tables") from None
    except LockNotAvailable:
        raise DatabaseNotReady("another transaction, or the same command elsewhere, has locked what this one needs; try again") from None
    except (UndefinedTable, UndefinedColumn, UndefinedFunction) as error:
        # As above.
        raise DatabaseNotReady(f"the migrations are not applied ({error.diag.message_primary}); run: dbmate -d migrations up") from None
    except Error as error:
        raise DatabaseNotReady(f"PostgreSQL refused: {message_of(error)}; nothing was changed") from None
    finally:
        # Which rolls back what was not committed.
        await opened.close()
