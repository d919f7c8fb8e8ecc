"""What belongs together in a row, whoever writes it: each CHECK refuses the rows that it is about, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import CheckViolation

from shop.infrastructure.postgres.errors import WAIVED

USER = "INSERT INTO users (first_name, last_name, email, password) VALUES ('Ada', 'Lovelace', 'ada@example.org', 'x')"
ORDER = "INSERT INTO orders (user_id, currency, total_minor) SELECT id, 'EUR', 990 FROM users"
LINE = "INSERT INTO order_lines SELECT id, 1, 'MUG', 'Mug', 1, 990 FROM orders"
EVENT = "INSERT INTO outbox (aggregate, event_type, payload, trace_id) VALUES ('user:1', 'UserRegistered', '{}', '')"
ENTRY = "INSERT INTO audit_log (actor, action, subject, origin, outcome, trace_id) VALUES ('anonymous', 'a', 'b', 'cli', 'done', '')"
SALES = "INSERT INTO daily_sales VALUES ('2026-01-01', 'EUR', -1, -990)"
ATTEMPT = "INSERT INTO login_attempts VALUES ('ada@example.org', 1)"
MESSAGE = "INSERT INTO inbox (consumer, message_id, event_type) VALUES ('sales', gen_random_uuid(), 'OrderPaid')"

# For each constraint a row that it refuses: as a change of one of the rows above, which it accepts.
REFUSED = {
    "users_updated_at_check": "UPDATE users SET updated_at = created_at - interval '1 second'",
    "users_version_check": "UPDATE users SET version = 0",
    "users_erased_check": "UPDATE users SET erased_at = now()",
    "orders_currency_check": "UPDATE orders SET currency = 'eur'",
    "orders_total_minor_check": "UPDATE orders SET total_minor = -1",
    "orders_updated_at_check": "UPDATE orders SET status = 'paid', updated_at = placed_at - interval '1 second'",
    "orders_version_check": "UPDATE orders SET status = 'paid', version = 0",
    "orders_placed_check": "UPDATE orders SET version = 2",
    "order_lines_line_number_check": "UPDATE order_lines SET line_number = 0",
    "order_lines_quantity_check": "UPDATE order_lines SET quantity = 0",
    "order_lines_unit_price_minor_check": "UPDATE order_lines SET unit_price_minor = -1",
    "daily_sales_currency_check": "UPDATE daily_sales SET currency = 'E  '",
    "login_attempts_login_check": "UPDATE login_attempts SET login = 'Ada@example.org'",
    "login_attempts_attempts_check": "UPDATE login_attempts SET attempts = 0",
    "audit_log_actor_check": ENTRY.replace("'anonymous'", "'user:'"),
    "audit_log_metadata_check": ENTRY.replace("(actor", "(metadata, actor").replace("('anonymous'", "('[]', 'anonymous'"),
    "outbox_attempts_check": "UPDATE outbox SET attempts = -1",
    "outbox_settled_check": "UPDATE outbox SET published_at = now(), dead_at = now(), last_error = 'refused'",
    "outbox_dead_check": "UPDATE outbox SET dead_at = now()",
    "outbox_claim_check": "UPDATE outbox SET claim = gen_random_uuid()",
    "outbox_place_check": "UPDATE outbox SET published_at = now(), stream = 'SHOP'",
    "outbox_stream_check": "UPDATE outbox SET stream = 'SHOP', stream_sequence = 1",
    "inbox_attempts_check": "UPDATE inbox SET attempts = -1",
    "inbox_settled_check": "UPDATE inbox SET handled_at = now(), dead_at = now()",
    "inbox_dead_message_check": "UPDATE inbox SET dead_message = '{}'",
}


@pytest.fixture
def rows(database_url: str) -> Iterator[Connection[Any]]:
    """A transaction with one correct row in each table."""
    with psycopg.connect(database_url) as conn:
        for statement in (USER, ORDER, LINE, EVENT, ENTRY, SALES, ATTEMPT, MESSAGE):
            conn.execute(statement.encode())
        yield conn
        conn.rollback()


def test_each_check_refuses_its_rows(rows: Connection[Any]) -> None:
    refused = dict[str, str | None]()
    for name, statement in REFUSED.items():
        with pytest.raises(CheckViolation) as caught, rows.transaction():
            rows.execute(statement.encode())
        refused[name] = caught.value.diag.constraint_name
    assert refused == {name: name for name in REFUSED}


def test_every_check_is_tested() -> None:
    assert {name for name in WAIVED if name.endswith("_check")} - REFUSED.keys() == set()
