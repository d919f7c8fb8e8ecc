"""Mapping of rows to aggregates and read models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from shop.application.reads.models import AuditRecord, DailySales, OrderDetails, OrderSummary, OrderTotals, PublicProfile, UserSummary
from shop.application.transactions.audit import AuditOutcome
from shop.application.transactions.failures import StoreDefect
from shop.domain.money import Currency, Money
from shop.domain.orders import Order, OrderLine, OrderStatus
from shop.domain.users import Profile, Role, User
from shop.domain.values import EmailAddress, OrderId, PasswordHash, PersonName, PhoneNumber, UserId
from shop_db import UNSET, Unset, enums
from shop_db.models import AuditLog
from shop_db.models import User as UserRow
from shop_db.orders import FindOrdersRow, GetOrderWithLinesRow, ListDailySalesRow, ListOrdersOfUserRow, SummarizeOrdersOfUserRow
from shop_db.users import FindUsersRow, GetPublicProfilesRow, GetUserSummaryRow, ListUsersRow, SearchUsersRow, SeedUsersParams

T = TypeVar("T")


class UnreadableRow(StoreDefect):
    """A row that violates the rules of the domain, so not written by this service. Names the row and the rule, and no value."""


def user_from(row: UserRow) -> User:
    """Build the user. Raises `UnreadableRow`."""
    try:
        return User(
            id=UserId(row.id),
            profile=Profile(
                name=PersonName(row.first_name, row.last_name),
                email=EmailAddress(row.email),
                phone=None if row.phone is None else PhoneNumber(row.phone),
            ),
            password=PasswordHash(row.password),
            created_at=row.created_at,
            updated_at=row.updated_at,
            version=row.version,
            role=Role(row.role.value),
            session_generation=row.session_generation,
        )
    except ValueError as error:
        raise UnreadableRow(f"users row {row.id}: {error}") from None


def order_from(rows: Sequence[GetOrderWithLinesRow]) -> Order:
    """Build the order from one or more rows, one for each line. Raises `UnreadableRow`."""
    order = rows[0].orders
    try:
        currency = Currency(order.currency)
        lines = tuple(
            OrderLine(
                sku=row.order_lines.sku,
                title=row.order_lines.title,
                quantity=row.order_lines.quantity,
                unit_price=Money(row.order_lines.unit_price_minor, currency),
            )
            for row in rows
        )
        return Order(
            id=OrderId(order.id),
            user_id=UserId(order.user_id),
            lines=lines,
            status=OrderStatus(order.status.value),
            placed_at=order.placed_at,
            updated_at=order.updated_at,
            version=order.version,
        )
    except ValueError as error:
        raise UnreadableRow(f"orders row {order.id}: {error}") from None


def order_status_to(status: OrderStatus) -> enums.OrderStatus:
    """Return the database's value of a status."""
    return enums.OrderStatus(status.value)


def role_to(role: Role) -> enums.UserRole:
    """Return the database's value of a role."""
    return enums.UserRole(role.value)


def audit_outcome_to(outcome: AuditOutcome) -> enums.AuditOutcome:
    """Return the database's value of an outcome."""
    return enums.AuditOutcome(outcome.value)


def public_profile_from(row: GetPublicProfilesRow) -> PublicProfile:
    """Build the read model."""
    return PublicProfile(id=UserId(row.id), first_name=row.first_name, last_name=row.last_name)


def seed_params_of(user: User) -> SeedUsersParams:
    """Return the row of a user who is written by COPY."""
    profile = user.profile
    return SeedUsersParams(
        id=user.id,
        first_name=profile.name.first,
        last_name=profile.name.last,
        email=profile.email.text,
        phone=None if profile.phone is None else profile.phone.text,
        password=user.password.encoded,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


def user_summary_from(row: FindUsersRow | ListUsersRow | GetUserSummaryRow | SearchUsersRow) -> UserSummary:
    """Build the read model."""
    return UserSummary(
        id=UserId(row.id),
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email,
        phone=row.phone,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
        role=Role(row.role.value),
    )


def order_details_from(rows: Sequence[GetOrderWithLinesRow]) -> OrderDetails:
    """Build the read model from one or more rows, one for each line. Raises `UnreadableRow`."""
    return OrderDetails.of(order_from(rows))


def order_summary_from(row: ListOrdersOfUserRow | FindOrdersRow) -> OrderSummary:
    """Build the read model."""
    return OrderSummary(
        id=OrderId(row.id),
        status=OrderStatus(row.status.value),
        total=Money(row.total_minor, Currency(row.currency)),
        line_count=row.line_count,
        placed_at=row.placed_at,
        updated_at=row.updated_at,
    )


def order_totals_from(row: SummarizeOrdersOfUserRow) -> OrderTotals:
    """Build the read model."""
    return OrderTotals(
        orders=row.orders,
        placed=row.placed,
        paid=row.paid,
        shipped=row.shipped,
        cancelled=row.cancelled,
        spent=Money(int(row.spent_minor), Currency(row.currency)),
        last_placed_at=row.last_placed_at,
    )


def daily_sales_from(row: ListDailySalesRow) -> DailySales:
    """Build the read model."""
    return DailySales(day=row.day, currency=Currency(row.currency), orders=row.orders, revenue_minor=int(row.revenue_minor))


def audit_record_from(row: AuditLog) -> AuditRecord:
    """Build the read model."""
    metadata = row.metadata if isinstance(row.metadata, dict) else {}
    return AuditRecord(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        origin=row.origin,
        outcome=AuditOutcome(row.outcome.value),
        metadata={key: str(value) for key, value in metadata.items()},
        trace_id=row.trace_id,
    )


def given(value: T | None) -> T | Unset:
    """Return a filter's value, or what stands for a filter that is left out."""
    return UNSET if value is None else value
