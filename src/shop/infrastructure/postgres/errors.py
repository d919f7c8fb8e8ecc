"""What PostgreSQL's errors mean: by constraint name to a repository, by SQLSTATE to a unit of work."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum

from psycopg import Error, IntegrityError, OperationalError
from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from shop.application.unit_of_work import StoreDefect, StoreLost, TransactionConflict


class Constraint(StrEnum):
    """The constraints whose violation is an expected outcome. Each repository says what it means in each of its methods."""

    USERS_EMAIL = "users_email_key"
    ORDERS_USER = "orders_user_id_fkey"


WAIVED: dict[str, str] = {
    "users_pkey": "ids are random",
    "orders_pkey": "ids are random",
    "orders_currency_check": "Currency has three capital letters",
    "orders_total_minor_check": "Money is not negative",
    "order_lines_pkey": "lines are numbered by the statement that writes them",
    "order_lines_order_id_fkey": "lines are written by the statement that writes their order",
    "order_lines_line_number_check": "lines are numbered from 1",
    "order_lines_quantity_check": "OrderLine checks the quantity",
    "order_lines_unit_price_minor_check": "Money is not negative",
    "audit_log_pkey": "an identity column",
    "outbox_pkey": "an identity column",
    "outbox_message_id_key": "ids are random",
    "inbox_pkey": "every insert says ON CONFLICT",
    "daily_sales_pkey": "every insert says ON CONFLICT",
}
"""The constraints that this service cannot violate, each with the reason. A test holds both lists against the migrated database."""


def violated(error: IntegrityError) -> Constraint | None:
    """Tell which expected constraint was violated; None for any other, which is a defect."""
    name = error.diag.constraint_name
    return Constraint(name) if name in set(Constraint) else None


@contextmanager
def translated() -> Generator[None]:
    """Turn what psycopg raises in the block into what the application knows.

    Raises:
        TransactionConflict: serialization failure, deadlock, lock timeout: the transaction is gone, and may work when done again.
        StoreLost: no connection, a connection that broke, a statement that took too long, a server that shuts down.
        StoreDefect: anything else.
    """
    try:
        yield
    except (SerializationFailure, DeadlockDetected, LockNotAvailable) as error:
        raise TransactionConflict(message_of(error)) from error
    except (PoolTimeout, TooManyRequests) as error:
        raise StoreLost("all connections are in use, or none can be made") from error
    except PoolClosed as error:
        raise StoreLost("the pool is closed") from error
    except OperationalError as error:
        raise StoreLost(message_of(error)) from error
    except Error as error:
        raise StoreDefect(f"{error.sqlstate}: {message_of(error)}") from error


def leaves_outcome_open(error: OperationalError) -> bool:
    """Tell whether an error of COMMIT leaves open what became of the transaction: the connection broke before the answer came.

    SQLSTATE classes by PostgreSQL's appendix A: 08 connection exceptions, 57P the server's own end, 40003 says so itself. An error that
    libpq made up has none.
    """
    state = error.sqlstate
    return state is None or state.startswith(("08", "57P")) or state == "40003"


def message_of(error: Error) -> str:
    """Give an error in one sentence, without the values that it may quote."""
    # Not the whole message: its DETAIL quotes values, which may be secrets.
    return error.diag.message_primary or next(iter(str(error).splitlines()), type(error).__name__)
