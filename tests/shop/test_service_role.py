"""The service's role: it may do all that the service does, and nothing else."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.errors import CheckViolation, InsufficientPrivilege
from typer.testing import CliRunner

from shop.cli import app
from shop.domain.money import Currency, Money
from shop.domain.orders import Order, OrderStatus
from shop.domain.orders import OrderLine as DomainLine
from shop.domain.result import Ok
from shop.domain.values import OrderId, UserId
from shop.infrastructure.postgres.administration.owner import NotTheOwner, owner_transaction
from shop.infrastructure.postgres.administration.rights import RIGHTS, grant_rights

from .test_indexes import QUERIES

# One entry for each privilege: `UPDATE` on some columns is one.
SINGLE = [(table, right) for table, rights in RIGHTS.items() for right in re.findall(r"[A-Z]+(?: \([^)]*\))?", rights)]
RIGHTS_OF_HEALTH_CHECKS = {("audit_log_default", "SELECT"), ("schema_migrations", "SELECT")}


def shop(url: str, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), env={"DATABASE_URL": url}, prog_name="shop")
    return result.exit_code, result.output


@pytest.fixture
def role(database_url: str) -> Iterator[str]:
    """A role with the rights of the service in the test's database, made by the command."""
    role = f"service_{uuid.uuid4().hex[:12]}"
    assert shop(database_url, "--json", "database", "grant", role) == (0, f'{{"role": "{role}", "created": true}}\n')
    yield role
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP OWNED BY {0}").format(sql.Identifier(role)))
        admin.execute(sql.SQL("DROP ROLE {0}").format(sql.Identifier(role)))


@pytest.fixture
def owner(database_url: str) -> Iterator[Connection[Any]]:
    """A connection of the owner's."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def service(owner: Connection[Any], role: str) -> Iterator[Connection[Any]]:
    """A connection with the rights of the service."""
    owner.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    yield owner
    owner.execute("RESET ROLE")


def is_allowed(conn: Connection[Any], query: str) -> bool:
    """Return whether the role may execute a query, without executing it."""
    try:
        with conn.transaction(force_rollback=True):
            if query.startswith("COPY "):
                with conn.cursor().copy(query.encode()):
                    pass
            elif query.startswith("LOCK "):
                conn.execute(query.encode())
            else:
                conn.execute(f"EXPLAIN (GENERIC_PLAN) {query}".encode())
    except InsufficientPrivilege:
        return False
    return True


def test_the_role_may_execute_every_query_and_needs_each_of_its_rights(owner: Connection[Any], role: str) -> None:
    as_service = sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role))
    with owner.transaction(force_rollback=True):
        owner.execute(as_service)
        refused = [name for name, query in QUERIES.items() if not is_allowed(owner, query)]
        assert refused == [], "add the rights to RIGHTS"
    unneeded: list[tuple[str, str]] = []
    for table, right in SINGLE:
        queries = [query for query in QUERIES.values() if re.findall(r"\w+", table.removeprefix("FUNCTION "))[0] in query]
        with owner.transaction(force_rollback=True):
            owner.execute(f"REVOKE {right} ON {table} FROM {role}".encode())
            owner.execute(as_service)
            if all(is_allowed(owner, query) for query in queries):
                unneeded.append((table, right))
    assert set(unneeded) == RIGHTS_OF_HEALTH_CHECKS, "remove the rights from RIGHTS"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "INSERT INTO audit_log (id) OVERRIDING SYSTEM VALUE VALUES (1)",
        "INSERT INTO audit_log (at) VALUES ('-infinity')",
        "ALTER TABLE audit_log DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "UPDATE orders SET total_minor = 0",
        "DELETE FROM orders",
        "INSERT INTO orders (placed_in) VALUES (1)",
        "UPDATE orders SET placed_in = 1",
        "UPDATE order_lines SET quantity = 1",
        "UPDATE outbox SET payload = '{}'",
        "UPDATE users SET id = gen_random_uuid()",
        "UPDATE users SET created_at = now()",
        "TRUNCATE users CASCADE",
        "DROP TABLE answers",
        "CREATE TABLE mine ()",
        "DELETE FROM schema_migrations",
    ],
)
def test_what_is_not_granted_is_refused(service: Connection[Any], statement: str) -> None:
    with pytest.raises(InsufficientPrivilege) as refused:
        service.execute(statement.encode())
    assert refused.value.diag.context is None, "a trigger refused it, and not a missing right"


ORDER = """
    WITH lived AS (
        INSERT INTO users (first_name, last_name, email, password) VALUES ('A', 'B', gen_random_uuid() || '@example.org', 'x') RETURNING id
    )
    INSERT INTO orders (user_id, status, currency, total_minor) SELECT id, %s, 'EUR', 1 FROM lived RETURNING id
"""
LINE = "INSERT INTO order_lines (order_id, line_number, sku, title, quantity, unit_price_minor) VALUES (%s, %s, 'X', 'X', 1, 1)"


def placed(conn: Connection[Any], status: OrderStatus) -> uuid.UUID:
    row = conn.execute(ORDER, [status]).fetchone()
    assert row is not None
    order: uuid.UUID = row[0]
    return order


def test_lines_are_written_by_the_transaction_that_places_their_order(service: Connection[Any]) -> None:
    with service.transaction():
        with service.transaction():
            order = placed(service, OrderStatus.PLACED)
            service.execute(LINE, [order, 1])
        service.execute(LINE, [order, 2])
    # Neither an order as it was, nor one that has just been changed.
    for change in ("SELECT 1", "UPDATE orders SET updated_at = now()", "UPDATE orders SET status = 'paid', version = 2"):
        with service.transaction(force_rollback=True):
            service.execute(change.encode())
            with pytest.raises(InsufficientPrivilege, match="lines are written together with their order"), service.transaction():
                service.execute(LINE, [order, 3])
    assert service.execute("SELECT count(*) FROM order_lines").fetchone() == (2,)


@pytest.mark.parametrize("before", OrderStatus)
def test_an_order_moves_in_the_database_as_in_the_domain(service: Connection[Any], before: OrderStatus) -> None:
    order = placed(service, before)
    moved = set[OrderStatus]()
    for after in OrderStatus:
        try:
            with service.transaction(force_rollback=True):
                service.execute("UPDATE orders SET status = %s, version = 2 WHERE id = %s", [after, order])
                moved.add(after)
        except (InsufficientPrivilege, CheckViolation):
            pass
    line = DomainLine("X", "X", 1, Money(1, Currency.EUR))
    now = datetime.now(UTC)
    known = Order(OrderId(order), UserId(uuid.uuid4()), (line,), before, placed_at=now, updated_at=now, version=1)
    moves = {after.value.status for after in (known.pay(), known.ship(), known.cancel()) if isinstance(after, Ok)}
    # Where the status stays, the row may be written.
    assert moved - {before} == moves


def test_granting_again_restores_exactly_the_rights(database_url: str, owner: Connection[Any], role: str) -> None:
    rights = """
        SELECT relname, relacl::text, array_agg(attacl::text ORDER BY attnum) FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = 'public'::regnamespace GROUP BY 1, 2 ORDER BY 1
    """
    before = owner.execute(rights).fetchall()
    owner.execute(f"GRANT ALL ON audit_log TO {role}".encode())
    owner.execute(f"GRANT UPDATE (total_minor) ON orders TO {role}".encode())
    owner.execute(f"REVOKE SELECT ON users FROM {role}".encode())
    assert shop(database_url, "--json", "database", "grant", role) == (0, f'{{"role": "{role}", "created": false}}\n')
    assert owner.execute(rights).fetchall() == before


async def test_the_owner_is_not_deprived_of_its_tables(database_url: str) -> None:
    user = urlsplit(database_url).username
    with pytest.raises(NotTheOwner, match="it may do everything"):
        async with owner_transaction(database_url, 60) as conn:
            await grant_rights(conn, str(user))


@pytest.mark.parametrize("name", ["pg_monitor", "pg_read_all_data", "pg_new", "public", "none"])
def test_no_role_of_postgresql_itself_is_given_the_rights(database_url: str, owner: Connection[Any], name: str) -> None:
    rights = "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname"
    before = owner.execute(rights).fetchall()
    code, output = shop(database_url, "database", "grant", name)
    assert (code, f"{name} is a name of PostgreSQL's own" in output) == (2, True)
    assert owner.execute(rights).fetchall() == before


def test_only_the_owner_may_grant(database_url: str, owner: Connection[Any], role: str) -> None:
    owner.execute(f"ALTER ROLE {role} LOGIN PASSWORD 'secret'".encode())
    url = urlsplit(database_url)
    as_service = url._replace(netloc=f"{role}:secret@{url.netloc.rpartition('@')[2]}").geturl()
    code, output = shop(as_service, "database", "grant", "another")
    assert (code, output) == (1, "shop: permission denied to create role; set DATABASE_URL to the URL of the owner of the tables\n")
