"""The catalogue of events: the form of each one on the wire, which changes only by a new version (docs/events.md)."""

from __future__ import annotations

import uuid
from typing import Annotated, Generic, Protocol, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shop.application.messaging.contracts import Catalogue, Contract, Current, Outdated
from shop.domain.events import (
    AuthenticationFailed,
    AuthenticationSucceeded,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    UserDeleted,
    UserPasswordChanged,
    UserProfileUpdated,
    UserRegistered,
    UserRoleChanged,
)
from shop.domain.money import Currency, Money
from shop.domain.values import EmailAddress, OrderId, UserId


class AboutUser(Protocol):
    """An event about a user."""

    @property
    def user_id(self) -> UserId:
        """The id of the user."""
        ...


U = TypeVar("U", bound=AboutUser)

_UserId = Annotated[uuid.UUID, Field(description="Id of the user.")]
_OrderId = Annotated[uuid.UUID, Field(description="Id of the order.")]
_CustomerId = Annotated[uuid.UUID, Field(description="Id of the user who placed the order.")]


def _address(text: str) -> str:
    # In the constructor's form: its error does not quote the text.
    return EmailAddress(text).text


_Email = Annotated[str, Field(max_length=100, description="The e-mail address, as it was entered."), AfterValidator(_address)]


class Amount(BaseModel):
    """An amount of money."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    minor: Annotated[int, Field(ge=0, description="The amount in minor units, as in cents.")]
    currency: Annotated[Currency, Field(description="The currency, by ISO 4217 code.")]

    @classmethod
    def of(cls, money: Money) -> Self:
        """Return the form of an amount on the wire."""
        return cls(minor=money.minor, currency=money.currency)

    def money(self) -> Money:
        """Return the amount."""
        return Money(self.minor, self.currency)


# --- Users --------------------------------------------------------------------------------------------------------------


class _UserEvent(Current[U], Generic[U]):
    user_id: _UserId

    @classmethod
    def of(cls, event: U) -> Self:
        """Return the content of an event."""
        return cls(user_id=event.user_id)


class UserRegisteredV1(_UserEvent[UserRegistered]):
    """A user registered."""

    def event(self) -> UserRegistered:
        """Return the event."""
        return UserRegistered(UserId(self.user_id))


class UserProfileUpdatedV1(_UserEvent[UserProfileUpdated]):
    """A user's name, address or phone number changed."""

    def event(self) -> UserProfileUpdated:
        """Return the event."""
        return UserProfileUpdated(UserId(self.user_id))


class UserPasswordChangedV1(_UserEvent[UserPasswordChanged]):
    """A user changed the password."""

    def event(self) -> UserPasswordChanged:
        """Return the event."""
        return UserPasswordChanged(UserId(self.user_id))


class UserRoleChangedV1(Current[UserRoleChanged]):
    """A user was given another role."""

    user_id: _UserId
    role: Annotated[str, Field(max_length=20, description="The role: `customer`, `clerk`, `admin`, or one that is added later.")]

    @classmethod
    def of(cls, event: UserRoleChanged) -> Self:
        """Return the content of an event."""
        return cls(user_id=event.user_id, role=event.role)

    def event(self) -> UserRoleChanged:
        """Return the event."""
        return UserRoleChanged(UserId(self.user_id), self.role)


class UserDeletedV1(_UserEvent[UserDeleted]):
    """A user was deleted."""

    def event(self) -> UserDeleted:
        """Return the event."""
        return UserDeleted(UserId(self.user_id))


# --- Logins -------------------------------------------------------------------------------------------------------------


class AuthenticationSucceededV1(_UserEvent[AuthenticationSucceeded]):
    """A login succeeded: the password was right."""

    def event(self) -> AuthenticationSucceeded:
        """Return the event."""
        return AuthenticationSucceeded(UserId(self.user_id))


class _AddressV1(BaseModel):
    """An e-mail address, in the form of the program's own class."""

    text: _Email


class AuthenticationFailedV1(Outdated):
    """A login failed: the password was wrong, or no user has the address."""

    email: _AddressV1

    def upcast(self) -> AuthenticationFailedV2:
        """Return the address as plain text."""
        return AuthenticationFailedV2(email=self.email.text)


class AuthenticationFailedV2(Current[AuthenticationFailed]):
    """A login failed: the password was wrong, or no user has the address."""

    email: _Email

    @classmethod
    def of(cls, event: AuthenticationFailed) -> Self:
        """Return the content of an event."""
        return cls(email=event.email.text)

    def event(self) -> AuthenticationFailed:
        """Return the event."""
        return AuthenticationFailed(EmailAddress(self.email))


# --- Orders -------------------------------------------------------------------------------------------------------------


class OrderPlacedV1(Current[OrderPlaced]):
    """A user placed an order."""

    order_id: _OrderId
    user_id: _CustomerId
    total: Annotated[Amount, Field(description="The sum of its lines.")]

    @classmethod
    def of(cls, event: OrderPlaced) -> Self:
        """Return the content of an event."""
        return cls(order_id=event.order_id, user_id=event.user_id, total=Amount.of(event.total))

    def event(self) -> OrderPlaced:
        """Return the event."""
        return OrderPlaced(OrderId(self.order_id), UserId(self.user_id), self.total.money())


class OrderPaidV1(Current[OrderPaid]):
    """An order was paid."""

    order_id: _OrderId
    user_id: _CustomerId
    total: Annotated[Amount, Field(description="The amount that was paid.")]

    @classmethod
    def of(cls, event: OrderPaid) -> Self:
        """Return the content of an event."""
        return cls(order_id=event.order_id, user_id=event.user_id, total=Amount.of(event.total))

    def event(self) -> OrderPaid:
        """Return the event."""
        return OrderPaid(OrderId(self.order_id), UserId(self.user_id), self.total.money())


class OrderShippedV1(Current[OrderShipped]):
    """An order was shipped."""

    order_id: _OrderId
    user_id: _CustomerId

    @classmethod
    def of(cls, event: OrderShipped) -> Self:
        """Return the content of an event."""
        return cls(order_id=event.order_id, user_id=event.user_id)

    def event(self) -> OrderShipped:
        """Return the event."""
        return OrderShipped(OrderId(self.order_id), UserId(self.user_id))


class OrderCancelledV1(Current[OrderCancelled]):
    """An order was cancelled."""

    order_id: _OrderId
    user_id: _CustomerId
    refund: Annotated[Amount | None, Field(description="The amount that had been paid; null if it was not paid.")]

    @classmethod
    def of(cls, event: OrderCancelled) -> Self:
        """Return the content of an event."""
        refund = None if event.refund is None else Amount.of(event.refund)
        return cls(order_id=event.order_id, user_id=event.user_id, refund=refund)

    def event(self) -> OrderCancelled:
        """Return the event."""
        return OrderCancelled(OrderId(self.order_id), UserId(self.user_id), None if self.refund is None else self.refund.money())


CATALOGUE = Catalogue(
    (
        Contract(UserRegistered, UserRegisteredV1),
        Contract(UserProfileUpdated, UserProfileUpdatedV1),
        Contract(UserPasswordChanged, UserPasswordChangedV1),
        Contract(UserRoleChanged, UserRoleChangedV1),
        Contract(UserDeleted, UserDeletedV1),
        Contract(AuthenticationSucceeded, AuthenticationSucceededV1),
        Contract(AuthenticationFailed, AuthenticationFailedV2, (AuthenticationFailedV1,)),
        Contract(OrderPlaced, OrderPlacedV1),
        Contract(OrderPaid, OrderPaidV1),
        Contract(OrderShipped, OrderShippedV1),
        Contract(OrderCancelled, OrderCancelledV1),
    )
)
