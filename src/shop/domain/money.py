"""Money: whole minor units of one currency, so nothing is ever rounded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from shop.domain.result import Err, Ok, Result
from shop.domain.values import InvalidValue


class Currency(StrEnum):
    """The currencies that the shop accepts, by ISO 4217 code."""

    EUR = "EUR"
    GBP = "GBP"
    JPY = "JPY"
    USD = "USD"

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:  # noqa: ARG003 the enum's signature
        # The enum's own message would quote the value.
        raise ValueError(f"currency is not one of {', '.join(cls)}")

    @property
    def decimals(self) -> int:
        """The number of decimals of its amounts (ISO 4217's minor unit)."""
        return 0 if self is Currency.JPY else 2


# Applies to parsed input only. Amounts in an order are limited by the rules of its lines; a sum of orders has no limit.
_MAX_PARSED = 10**15
_WRITTEN = re.compile(r"(?P<amount>[0-9]+(?:\.[0-9]+)?) ?(?P<currency>[A-Z]{3})")


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """A non-negative amount in minor units (cents). It has no upper limit: it may be the sum of any number of amounts."""

    minor: int
    currency: Currency

    def __post_init__(self) -> None:
        if self.minor < 0:
            raise ValueError("amount is negative")

    @classmethod
    def parse(cls, text: str) -> Result[Money, InvalidValue]:
        """Parse an amount such as `12.50 EUR`."""
        what = "amount"
        written = _WRITTEN.fullmatch(text.strip())
        if written is None:
            return Err(InvalidValue(what, "is not of the form 12.50 EUR"))
        if written["currency"] not in set(Currency):
            return Err(InvalidValue(what, f"is not in one of {', '.join(Currency)}"))
        currency = Currency(written["currency"])
        whole, _, fraction = written["amount"].partition(".")
        fraction = fraction.rstrip("0")
        if len(fraction) > currency.decimals:
            return Err(InvalidValue(what, f"has more decimals than the {currency.decimals} of {currency}"))
        # By digits: Decimal rounds beyond the precision of its context, and int() refuses thousands of digits.
        digits = (whole + fraction.ljust(currency.decimals, "0")).lstrip("0")
        if len(digits) > len(str(_MAX_PARSED)) or int(digits or "0") > _MAX_PARSED:
            return Err(InvalidValue(what, "is too large"))
        return Ok(cls(int(digits or "0"), currency))

    def __add__(self, other: Money) -> Money:
        if self.currency is not other.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.minor + other.minor, self.currency)

    def times(self, count: int) -> Money:
        """Return the amount multiplied by `count`."""
        return Money(self.minor * count, self.currency)

    @classmethod
    def total(cls, amounts: Iterable[Money]) -> Money:
        """Return the sum of amounts of one currency. Raises ValueError for no amounts and for several currencies."""
        remaining = iter(amounts)
        result = next(remaining, None)
        if result is None:
            raise ValueError("a sum of no amounts has no currency")
        for amount in remaining:
            result += amount
        return result

    def __str__(self) -> str:
        return written(self.minor, self.currency)


def written(minor: int, currency: Currency) -> str:
    """Format minor units, which may be negative as in a balance: `12.50 EUR`."""
    # Integers only: Decimal rounds beyond the precision of its context.
    whole, rest = divmod(abs(minor), 10**currency.decimals)
    fraction = f".{rest:0{currency.decimals}}" if currency.decimals else ""
    return f"{'-' if minor < 0 else ''}{whole}{fraction} {currency}"
