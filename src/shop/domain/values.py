"""Value types: text that is valid by construction.

`parse` is for text from outside: it strips surrounding white space and returns a `Result`. The constructor is for text that must already be
valid: it changes nothing and raises `ValueError` otherwise. The lengths are those of the columns in migrations/.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
import uuid
from dataclasses import dataclass, field
from typing import Final, NewType

from shop.domain.result import Err, Ok, Result

UserId = NewType("UserId", uuid.UUID)
OrderId = NewType("OrderId", uuid.UUID)


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """Invalid text: `what` names the kind of value, `reason` says what is wrong."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what} {self.reason}"


# --- E-mail -----------------------------------------------------------------------------------------------------------

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}")
EMAIL_LENGTH: Final = 100
_LOCAL_PART_LENGTH = 64


def _check_email(text: str) -> InvalidValue | None:
    what = "e-mail address"
    if len(text) > EMAIL_LENGTH:
        return InvalidValue(what, f"is longer than {EMAIL_LENGTH} characters")
    if _EMAIL.fullmatch(text) is None:
        return InvalidValue(what, "is not of the form name@host.domain in ASCII")
    if text.index("@") > _LOCAL_PART_LENGTH:
        return InvalidValue(what, f"has more than {_LOCAL_PART_LENGTH} characters before the @")
    return None


@dataclass(frozen=True, slots=True, eq=False)
class EmailAddress:
    """An e-mail address (RFC 5321's dot-string form) that keeps its case and compares without regard to case.

    ASCII only, so that this comparison and the unique index on lower(email) agree.
    """

    text: str

    def __post_init__(self) -> None:
        _raise_if(_check_email(self.text))

    @classmethod
    def parse(cls, text: str) -> Result[EmailAddress, InvalidValue]:
        """Parse an address from user input."""
        stripped = text.strip()
        invalid = _check_email(stripped)
        return Ok(cls(stripped)) if invalid is None else Err(invalid)

    def __eq__(self, other: object) -> bool:
        return self.text.lower() == other.text.lower() if isinstance(other, EmailAddress) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text.lower())

    def __str__(self) -> str:
        return self.text


# --- Names ------------------------------------------------------------------------------------------------------------

NAME_LENGTH: Final = 100
# Control characters, lone surrogates (which no encoding can store), line and paragraph separators. Format characters are allowed:
# Persian and several Indic names are written with joiners.
_NOT_IN_A_NAME = frozenset({"Cc", "Cs", "Zl", "Zp"})


def _check_name(what: str, text: str) -> InvalidValue | None:
    if not text:
        return InvalidValue(what, "is empty")
    if text != text.strip():
        return InvalidValue(what, "begins or ends with white space")
    if len(text) > NAME_LENGTH:
        return InvalidValue(what, f"is longer than {NAME_LENGTH} characters")
    if any(unicodedata.category(character) in _NOT_IN_A_NAME for character in text):
        return InvalidValue(what, "contains a control character")
    return None


@dataclass(frozen=True, slots=True)
class PersonName:
    """A person's given and family name, each one line of 1 to 100 characters."""

    first: str
    last: str

    def __post_init__(self) -> None:
        _raise_if(_check_name("first name", self.first))
        _raise_if(_check_name("last name", self.last))

    @classmethod
    def parse(cls, first: str, last: str) -> Result[PersonName, InvalidValue]:
        """Parse a name from user input; the error is about the first invalid part."""
        first, last = first.strip(), last.strip()
        invalid = _check_name("first name", first) or _check_name("last name", last)
        return Ok(cls(first, last)) if invalid is None else Err(invalid)

    def __str__(self) -> str:
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class NameChange:
    """A change of a person's name, of which each part is valid. A part that is None stays as it is."""

    first: str | None = None
    last: str | None = None

    def __post_init__(self) -> None:
        _raise_if(_check_parts(self.first, self.last))

    @classmethod
    def parse(cls, first: str | None, last: str | None) -> Result[NameChange, InvalidValue]:
        """Parse a change from user input; the error is about the first invalid part."""
        first, last = (None if part is None else part.strip() for part in (first, last))
        invalid = _check_parts(first, last)
        return Ok(cls(first, last)) if invalid is None else Err(invalid)

    def applied_to(self, name: PersonName) -> PersonName:
        """Return the changed name."""
        return PersonName(name.first if self.first is None else self.first, name.last if self.last is None else self.last)


def _check_parts(first: str | None, last: str | None) -> InvalidValue | None:
    checked = (_check_name(what, part) for what, part in (("first name", first), ("last name", last)) if part is not None)
    return next((invalid for invalid in checked if invalid is not None), None)


# --- Phone numbers ----------------------------------------------------------------------------------------------------

_PHONE = re.compile(r"\+?[0-9(][0-9 ()./-]*")
PHONE_LENGTH: Final = 20
_PHONE_DIGITS = range(3, 16)


def _check_phone(text: str) -> InvalidValue | None:
    what = "phone number"
    if len(text) > PHONE_LENGTH:
        return InvalidValue(what, f"is longer than {PHONE_LENGTH} characters")
    if _PHONE.fullmatch(text) is None or text != text.strip():
        return InvalidValue(what, "is not made of digits and ( ) . / - with an optional + in front")
    if sum(character.isdigit() for character in text) not in _PHONE_DIGITS:
        return InvalidValue(what, f"does not have {_PHONE_DIGITS.start} to {_PHONE_DIGITS.stop - 1} digits")
    return None


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A phone number as written: 3 to 15 digits (the maximum of E.164), with the usual separators."""

    text: str

    def __post_init__(self) -> None:
        _raise_if(_check_phone(self.text))

    @classmethod
    def parse(cls, text: str) -> Result[PhoneNumber, InvalidValue]:
        """Parse a number from user input."""
        stripped = text.strip()
        invalid = _check_phone(stripped)
        return Ok(cls(stripped)) if invalid is None else Err(invalid)

    def __str__(self) -> str:
        return self.text


# --- Passwords --------------------------------------------------------------------------------------------------------

PASSWORD_LENGTHS: Final = range(8, 1025)


def _check_password(text: str) -> InvalidValue | None:
    if len(text) not in PASSWORD_LENGTHS:
        return InvalidValue("password", f"does not have {PASSWORD_LENGTHS.start} to {PASSWORD_LENGTHS.stop - 1} characters")
    if any(unicodedata.category(character) == "Cs" for character in text):
        return InvalidValue("password", "contains a lone surrogate")
    return None


@dataclass(frozen=True, slots=True)
class Password:
    """A new password (length by NIST SP 800-63B); never printed. A login attempt may use any text."""

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        _raise_if(_check_password(self.text))

    @classmethod
    def parse(cls, text: str) -> Result[Password, InvalidValue]:
        """Parse a password as typed: every character counts, also white space."""
        invalid = _check_password(text)
        return Ok(cls(text)) if invalid is None else Err(invalid)

    def __str__(self) -> str:
        return "********"


_PASSWORD_HASH = re.compile(r"\$[a-z0-9-]{1,32}\$[\x21-\x7e]+")
_PASSWORD_HASH_LENGTH = 255
_ARGON2 = re.compile(
    r"\$argon2(?:id|i|d)\$v=19\$m=(?P<memory>[1-9][0-9]{0,9}),t=(?P<passes>[1-9][0-9]{0,9}),p=(?P<lanes>[1-9][0-9]{0,9})"
    r"\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<digest>[A-Za-z0-9+/]+)",
    re.ASCII,
)
# RFC 9106, 3.1: 8 KiB for each lane. The maxima are those of the settings.
_KIB_OF_LANE = 8
MAX_MEMORY_KIB: Final = 2**22
MAX_PASSES: Final = 100
MAX_LANES: Final = 64
_SALT_BYTES = range(8, 65)
_DIGEST_BYTES = range(16, 129)


def _check_argon2(text: str) -> InvalidValue | None:
    what = "password hash"
    found = _ARGON2.fullmatch(text)
    if found is None:
        return InvalidValue(what, "is not one of argon2, version 19, as a PHC string")
    memory, passes, lanes = int(found["memory"]), int(found["passes"]), int(found["lanes"])
    if lanes > MAX_LANES or passes > MAX_PASSES or not _KIB_OF_LANE * lanes <= memory <= MAX_MEMORY_KIB:
        limits = f"{_KIB_OF_LANE} KiB a lane to {MAX_MEMORY_KIB} KiB, {MAX_PASSES} passes and {MAX_LANES} lanes"
        return InvalidValue(what, f"has a cost beyond the limits: {limits}")
    if _decoded(found["salt"]) not in _SALT_BYTES or _decoded(found["digest"]) not in _DIGEST_BYTES:
        return InvalidValue(what, "has a salt or a digest that is not base64 of a usable length")
    return None


def _decoded(text: str) -> int:
    """Return the number of bytes, or 0 for what is not base64 as argon2 writes it: without padding, and without spare bits."""
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return 0
    return len(found) if base64.b64encode(found).rstrip(b"=").decode() == text else 0


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A password hash in PHC string format, `$algorithm$parameters…`; never printed. A plain password is not accepted."""

    encoded: str = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.encoded) > _PASSWORD_HASH_LENGTH or _PASSWORD_HASH.fullmatch(self.encoded) is None:
            _raise_if(InvalidValue("password hash", f"is not a PHC string of at most {_PASSWORD_HASH_LENGTH} characters"))

    @classmethod
    def parse(cls, text: str) -> Result[PasswordHash, InvalidValue]:
        """Parse a hash from elsewhere. It must be one that passwords can be verified against, at a limited cost."""
        if len(text) > _PASSWORD_HASH_LENGTH or _PASSWORD_HASH.fullmatch(text) is None:
            return Err(InvalidValue("password hash", f"is not a PHC string of at most {_PASSWORD_HASH_LENGTH} characters"))
        invalid = _check_argon2(text)
        return Ok(cls(text)) if invalid is None else Err(invalid)


def _raise_if(invalid: InvalidValue | None) -> None:
    if invalid is not None:
        raise ValueError(str(invalid))
