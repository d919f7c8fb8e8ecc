"""The bodies of requests, and how they become values of the domain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SecretStr,
    StrictInt,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError

from shop.application.commands.session_store import Session
from shop.application.commands.sessions import Tokens
from shop.application.reads.models import DailySales
from shop.domain.money import Currency, Money
from shop.domain.orders import MAX_LINES, MAX_PRICE, QUANTITIES, SKU_LENGTH, TITLE_LENGTH, NewOrder, OrderLine
from shop.domain.users import Kept, Profile, ProfileChange, Role
from shop.domain.values import (
    EMAIL_LENGTH,
    NAME_LENGTH,
    PASSWORD_LENGTHS,
    PHONE_LENGTH,
    EmailAddress,
    Password,
    PersonName,
    PhoneNumber,
    UserId,
)
from shop.web.problems import MAX_ERRORS
from shop.web.requests import value

# More than any object of a body has.
_MAX_NAMES: Final = 20
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _is_storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("contains a character that cannot be stored")
    return text


def _is_instant(text: object) -> object:
    # Pydantic also reads numbers and dates without a time.
    if not isinstance(text, str) or _INSTANT.fullmatch(text) is None:
        raise ValueError("is not of the form 2026-01-31T12:00:00Z")
    return text


def _integral(number: object) -> object:
    # For JSON Schema, 5.0 is an integer, too.
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _items(sent: object) -> list[object]:
    return cast("list[object]", sent) if isinstance(sent, list) else []


def _members(sent: object) -> dict[str, object]:
    return cast("dict[str, object]", sent) if isinstance(sent, dict) else {}


def _is_no_longer_than(most: int) -> BeforeValidator:
    def check(sent: object) -> object:
        # Pydantic counts what is valid, and validates all of it first.
        length = len(_items(sent))
        if length > most:
            raise PydanticKnownError("too_long", {"field_type": "List", "max_length": most, "actual_length": length})
        return sent

    return BeforeValidator(check)


# After the bounds, which are not described otherwise.
_INTEGRAL = BeforeValidator(_integral)
Text = Annotated[str, Field(max_length=1000), AfterValidator(_is_storable)]
Instant = Annotated[AwareDatetime, BeforeValidator(_is_instant)]
Secret = Annotated[SecretStr, Field(max_length=1024)]


class _Described:
    """Describes bounds that the domain verifies, so that what is beyond them violates a rule of the shop (`invalid-value`)."""

    def __init__(self, **bounds: int) -> None:
        self._bounds = bounds

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | self._bounds


# White space around them is removed before they are measured.
Name = Annotated[Text, _Described(minLength=1, maxLength=NAME_LENGTH)]
Email = Annotated[Text, _Described(minLength=1, maxLength=EMAIL_LENGTH)]
Phone = Annotated[Text, _Described(minLength=1, maxLength=PHONE_LENGTH)]
Sku = Annotated[Text, _Described(minLength=1, maxLength=SKU_LENGTH)]
Title = Annotated[Text, _Described(minLength=1, maxLength=TITLE_LENGTH)]
NewPassword = Annotated[Secret, _Described(minLength=PASSWORD_LENGTHS.start, maxLength=PASSWORD_LENGTHS.stop - 1)]


def _optional(schema: dict[str, Any]) -> None:
    """Describe a field that may be left out, but that has no default."""
    schema.pop("default", None)


class Body(BaseModel):
    """The base of all bodies: an unknown name is an error. Of many unknown names only some are looked at."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _with_few_unknown_names(cls, sent: object) -> object:
        members = _members(sent)
        if len(members) <= _MAX_NAMES:
            return sent
        unknown = islice((member for member in members.items() if member[0] not in cls.model_fields), MAX_ERRORS + 1)
        return {name: members[name] for name in cls.model_fields if name in members} | dict(unknown)


class Registration(Body):
    """A user to register."""

    first_name: Name
    last_name: Name
    email: Email
    phone: Phone | None = None
    password: NewPassword

    def profile(self) -> Profile:
        """Return the profile."""
        return Profile(value(PersonName.parse(self.first_name, self.last_name)), value(EmailAddress.parse(self.email)), _phone(self.phone))

    def new_password(self) -> Password:
        """Return the password."""
        return value(Password.parse(self.password.get_secret_value()))


class ProfilePatch(Body):
    """Changes of a profile, as a JSON merge patch: what is left out stays as it is, and null removes the phone number."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    first_name: Annotated[Name, Field(json_schema_extra=_optional)] = ""
    last_name: Annotated[Name, Field(json_schema_extra=_optional)] = ""
    email: Annotated[Email, Field(json_schema_extra=_optional)] = ""
    phone: Annotated[Phone | None, Field(json_schema_extra=_optional)] = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing to change")
        return self

    def change(self) -> ProfileChange:
        """Return the change."""
        given = self.model_fields_set
        return value(
            ProfileChange.parse(
                self.first_name if "first_name" in given else None,
                self.last_name if "last_name" in given else None,
                self.email if "email" in given else None,
                self.phone if "phone" in given else Kept.KEPT,
            )
        )


class PasswordChange(Body):
    """The old password and the new one."""

    old: Secret
    new: NewPassword

    def new_password(self) -> Password:
        """Return the new password."""
        return value(Password.parse(self.new.get_secret_value()))


class RoleChange(Body):
    """The role of a user."""

    role: Role


class Credentials(Body):
    """What a user logs in with."""

    email: Text
    password: Secret


class RefreshToken(Body):
    """What a session is continued with."""

    refresh_token: Secret


class SessionTokens(BaseModel):
    """The tokens of a session: the access token for `Authorization: Bearer <access_token>`, the other one for one refresh."""

    session_id: str
    user_id: UserId
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 a name
    expires_in: int = Field(description="Seconds until the access token expires.")
    refresh_token: str
    refresh_expires_in: int = Field(description="Seconds until the session ends, which a refresh does not extend.")

    @classmethod
    def of(cls, tokens: Tokens) -> SessionTokens:
        """Return the tokens as they are shown to their user, once."""
        return cls(
            session_id=tokens.session_id,
            user_id=tokens.user_id,
            access_token=tokens.access,
            expires_in=int(tokens.access_lifetime.total_seconds()),
            refresh_token=tokens.refresh,
            refresh_expires_in=int(tokens.refresh_lifetime.total_seconds()),
        )


class OpenSession(BaseModel):
    """An open session, without its tokens. `origin` is where its login came from."""

    id: str
    origin: str
    opened_at: datetime
    refreshed_at: datetime
    ends_at: datetime
    is_current: bool = Field(description="Whether it is the session of this request.")

    @classmethod
    def of(cls, session: Session, current: str) -> OpenSession:
        """Return the session as it is listed."""
        return cls(
            id=session.id,
            origin=session.origin,
            opened_at=session.opened_at,
            refreshed_at=session.refreshed_at,
            ends_at=session.ends_at,
            is_current=session.id == current,
        )


class OpenSessions(BaseModel):
    """The open sessions of a user, the latest first."""

    items: list[OpenSession]


class SalesOfDays(BaseModel):
    """The sales of each day and currency, newest first. Days without payments are left out."""

    items: Sequence[DailySales]


class VerificationKey(BaseModel):
    """A public key, as in RFC 7517 and RFC 8037."""

    kid: str
    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    alg: Literal["EdDSA"]
    use: Literal["sig"]


class VerificationKeys(BaseModel):
    """The keys that verify access tokens, as a JSON Web Key Set."""

    keys: list[VerificationKey]


class Amount(Body):
    """An amount in minor units (cents) of a currency."""

    minor: Annotated[StrictInt, Field(ge=0, le=10**15), _INTEGRAL, _Described(maximum=MAX_PRICE)]
    currency: Currency


class Line(Body):
    """A quantity of one article."""

    sku: Sku
    title: Title
    quantity: Annotated[StrictInt, Field(ge=QUANTITIES.start, le=QUANTITIES.stop - 1), _INTEGRAL]
    unit_price: Amount


class OrderPlacement(Body):
    """An order to place."""

    user_id: UserId
    lines: Annotated[Sequence[Line], Field(min_length=1, max_length=MAX_LINES), _is_no_longer_than(MAX_LINES)]

    def order(self) -> NewOrder:
        """Return the order."""
        return value(NewOrder.of(self.user_id, [_line(line) for line in self.lines]))


def _line(line: Line) -> OrderLine:
    return value(OrderLine.parse(line.sku, line.title, line.quantity, Money(line.unit_price.minor, line.unit_price.currency)))


def _phone(text: str | None) -> PhoneNumber | None:
    return None if text is None else value(PhoneNumber.parse(text))
