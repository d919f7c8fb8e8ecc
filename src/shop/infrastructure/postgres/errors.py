"""Translation of PostgreSQL's errors: by constraint name in a repository, by SQLSTATE in a unit of work."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from psycopg import Error, IntegrityError, OperationalError
from psycopg.errors import (
    DeadlockDetected,
    IdleInTransactionSessionTimeout,
    InsufficientPrivilege,
    LockNotAvailable,
    ReadOnlySqlTransaction,
    SerializationFailure,
)
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from shop.application.cancellation import cancellation_first
from shop.application.transactions.failures import CommitOutcomeUnknown, LockTimeout, StoreDefect, StoreLost, TransactionConflict
from shop.infrastructure.postgres.connection import Connection, NotReplicated
from shop_db.constraints import (
    AnswerConstraint,
    AuditLogConstraint,
    AuditLogDefaultConstraint,
    AuditLogFirstConstraint,
    DailySaleConstraint,
    ErasureConstraint,
    FormerAddressConstraint,
    InboxConstraint,
    LoginAttemptConstraint,
    NoticeConstraint,
    OrderConstraint,
    OrderLineConstraint,
    OutboxConstraint,
    UserConstraint,
)

EXPECTED: Final = frozenset({UserConstraint.USERS_EMAIL_KEY, OrderConstraint.ORDERS_USER_ID_FKEY})
"""The constraints whose violation is an expected outcome, which the repositories translate."""

WAIVED: Final[Mapping[StrEnum, str]] = {
    UserConstraint.USERS_PKEY: "ids are random",
    NoticeConstraint.NOTICES_PKEY: "the statement that counts a notice updates the row of its recipient",
    UserConstraint.USERS_UPDATED_AT_CHECK: "every update says greatest(updated_at, now())",
    UserConstraint.USERS_ERASED_CHECK: "the statement that erases writes all columns, and no other changes an erased user",
    UserConstraint.USERS_VERSION_CHECK: "every update increments the version",
    OrderConstraint.ORDERS_PKEY: "ids are random",
    OrderConstraint.ORDERS_CURRENCY_CHECK: "Currency has three capital letters",
    OrderConstraint.ORDERS_TOTAL_MINOR_CHECK: "Money is not negative",
    OrderConstraint.ORDERS_UPDATED_AT_CHECK: "every update says greatest(updated_at, now())",
    OrderConstraint.ORDERS_VERSION_CHECK: "every update increments the version",
    OrderConstraint.ORDERS_PLACED_CHECK: "no transition leads to the status placed",
    OrderLineConstraint.ORDER_LINES_PKEY: "lines are numbered by the statement that writes them",
    OrderLineConstraint.ORDER_LINES_ORDER_ID_FKEY: "lines are written by the statement that writes their order",
    OrderLineConstraint.ORDER_LINES_LINE_NUMBER_CHECK: "lines are numbered from 1",
    OrderLineConstraint.ORDER_LINES_QUANTITY_CHECK: "OrderLine checks the quantity",
    OrderLineConstraint.ORDER_LINES_UNIT_PRICE_MINOR_CHECK: "Money is not negative",
    AnswerConstraint.ANSWERS_PKEY: "every insert says ON CONFLICT",
    AuditLogConstraint.AUDIT_LOG_PKEY: "an identity column",
    AuditLogDefaultConstraint.AUDIT_LOG_DEFAULT_PKEY: "an identity column",
    AuditLogFirstConstraint.AUDIT_LOG_FIRST_PKEY: "an identity column",
    # The partitions' constraints have the same names.
    AuditLogConstraint.AUDIT_LOG_ACTOR_CHECK: "Actor has no other forms",
    AuditLogConstraint.AUDIT_LOG_METADATA_CHECK: "metadata are a mapping",
    OutboxConstraint.OUTBOX_PKEY: "an identity column",
    OutboxConstraint.OUTBOX_MESSAGE_ID_KEY: "ids are random",
    OutboxConstraint.OUTBOX_ATTEMPTS_CHECK: "attempts are only incremented, and reset to 0",
    OutboxConstraint.OUTBOX_SETTLED_CHECK: "only a claimed event is settled, and a settled one is not claimed",
    OutboxConstraint.OUTBOX_DEAD_CHECK: "the statement that gives up writes the error",
    OutboxConstraint.OUTBOX_CLAIM_CHECK: "every statement writes both columns",
    OutboxConstraint.OUTBOX_PLACE_CHECK: "every statement writes both columns",
    OutboxConstraint.OUTBOX_STREAM_CHECK: "the statement that writes the place marks the event as published",
    InboxConstraint.INBOX_PKEY: "every insert says ON CONFLICT",
    InboxConstraint.INBOX_ATTEMPTS_CHECK: "attempts are only incremented",
    InboxConstraint.INBOX_SETTLED_CHECK: "a settled message is not handled again",
    InboxConstraint.INBOX_DEAD_MESSAGE_CHECK: "the statement that gives up writes both columns",
    ErasureConstraint.ERASURES_PKEY: "the trigger that inserts says ON CONFLICT",
    FormerAddressConstraint.FORMER_ADDRESSES_PKEY: "the trigger that inserts says ON CONFLICT",
    LoginAttemptConstraint.LOGIN_ATTEMPTS_PKEY: "every insert says ON CONFLICT",
    LoginAttemptConstraint.LOGIN_ATTEMPTS_LOGIN_CHECK: "the adapter writes lower case, and addresses and ids are ASCII",
    LoginAttemptConstraint.LOGIN_ATTEMPTS_ATTEMPTS_CHECK: "attempts are counted from 1",
    DailySaleConstraint.DAILY_SALES_PKEY: "every insert says ON CONFLICT",
    DailySaleConstraint.DAILY_SALES_CURRENCY_CHECK: "Currency has three capital letters",
}
"""The constraints that the use cases cannot violate, each with the reason. A test compares both lists with the generated names."""


def storable(text: str) -> str:
    """Return the text of an error as far as a column can hold it: without NUL and lone surrogates."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def violates(error: IntegrityError, constraint: UserConstraint | OrderConstraint) -> bool:
    """Return whether this expected constraint was violated. Any other violation is a defect."""
    return error.diag.constraint_name == constraint.value


@contextmanager
def translated() -> Generator[None]:
    """Translate exceptions of psycopg in the block to those of the application, without the values that their text may quote.

    Cancellation is not translated.

    Raises:
        TransactionConflict: serialization failure or deadlock; the transaction may succeed when repeated.
        LockTimeout: another transaction held a lock for too long.
        StoreLost: no connection, a broken connection, a statement timeout, an idle-in-transaction timeout, a server shutdown, or a server
            that accepts no writes, at all or from this role.
        StoreDefect: anything else.
    """
    try:
        with cancellation_first():
            yield
    except (PoolTimeout, TooManyRequests) as error:
        raise StoreLost("all connections are in use, or none can be established") from error
    except PoolClosed as error:
        raise StoreLost("the pool is closed") from error
    except Error as error:
        # Not `from error`: its DETAIL quotes the failing row, which a log of the cause would contain. The traceback is kept.
        raise _translation(error).with_traceback(error.__traceback__) from None


def _translation(error: Error) -> TransactionConflict | StoreLost | StoreDefect:
    match error:
        case LockNotAvailable():
            return LockTimeout(message_of(error))
        case SerializationFailure() | DeadlockDetected():
            return TransactionConflict(message_of(error))
        case OperationalError() | IdleInTransactionSessionTimeout():
            return StoreLost(message_of(error))
        case ReadOnlySqlTransaction():
            return StoreLost(f"{message_of(error)}: the database accepts no writes")
        # An error raised by a trigger has a context.
        case InsufficientPrivilege() if error.diag.context is None:
            # PostgreSQL's own message, which contains only names.
            return StoreLost(f"{message_of(error)}: {error.diag.message_primary}; grant the role the rights")
        case _:
            return StoreDefect(message_of(error))


async def commit(conn: Connection) -> None:
    """Commit a transaction.

    Raises `CommitOutcomeUnknown` if the connection broke before the server answered, or if the standbys may not have what was committed.
    """
    try:
        await conn.commit()
    except NotReplicated as error:
        raise CommitOutcomeUnknown(str(error)) from None
    except OperationalError as error:
        if conn.closed or _leaves_outcome_open(error):
            raise CommitOutcomeUnknown("the connection broke during the commit") from None
        raise


def _leaves_outcome_open(error: OperationalError) -> bool:
    # SQLSTATE classes of PostgreSQL's appendix A: 08 connection exceptions, 57P operator intervention, 40003 statement completion unknown.
    # An error of libpq has no SQLSTATE.
    state = error.sqlstate
    return state is None or state.startswith(("08", "57P")) or state == "40003"


def message_of(error: Error) -> str:
    """Describe an error without any value: PostgreSQL's name of it, its SQLSTATE, and its table, column or constraint.

    Not the message: even its first line quotes values (`invalid input syntax for type integer: "…"`), and a trigger may put anything there.
    If no server was reached, return the first line of libpq's message for each host.
    """
    return "; ".join(messages_of(error))


def messages_of(error: Error) -> Sequence[str]:
    """Return the parts of `message_of`: one for each host if no server was reached."""
    if error.sqlstate is None:
        said = str(error).splitlines() if isinstance(error, OperationalError) else []
        # Of several hosts psycopg repeats the last one, a heading, and a line with a dash for each.
        hosts = [re.sub(r"^- host: .*?, hostaddr: \S+: ", "", line) for line in said if line.startswith("- host: ")]
        return hosts or [said[0] if said else type(error).__name__]
    diag = error.diag
    about = [
        f"{kind} {name}"
        for kind, name in (("table", diag.table_name), ("column", diag.column_name), ("constraint", diag.constraint_name))
        if name is not None
    ]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    return [f"{words} (SQLSTATE {error.sqlstate}){': ' if about else ''}{', '.join(about)}"]
