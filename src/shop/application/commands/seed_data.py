"""Seed data: any number of users with orders, generated from a number. The same number yields the same data on every machine."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shop.domain.money import Currency, Money
from shop.domain.orders import Order, OrderLine, OrderStatus
from shop.domain.users import Profile, User
from shop.domain.values import EmailAddress, OrderId, PasswordHash, PersonName, PhoneNumber, UserId

_BATCH = 500
_MAX_ORDERS = 6
_MAX_LINES = 5
_FROM = datetime(2025, 1, 1, tzinfo=UTC)
_DAYS = 365
_FIRST_NAMES = (
    "Ada", "Alan", "Amina", "Barbara", "Chen", "Dennis", "Edsger", "Fatima", "Frances", "Grace", "Hedy", "Ivan", "Jean", "Katherine",
    "Ken", "Leslie", "Margaret", "Niklaus", "Olga", "Radia", "Ritu", "Shafi", "Sophie", "Tim", "Yuki", "Zoë",
)  # fmt: skip
_LAST_NAMES = (
    "Allen", "Bartik", "Bouman", "Dijkstra", "Goldwasser", "Hamilton", "Hopper", "Ivanova", "Johnson", "Kaur", "Lamarr", "Lamport",
    "Liskov", "Lovelace", "Müller", "Nakamura", "Okafor", "O'Neil", "Perlman", "Ritchie", "Sato", "Thompson", "Turing", "Wirth", "Wilson",
)  # fmt: skip
_ARTICLES = (
    ("BOOK-SQL", "A book on SQL", 39_90), ("BOOK-ALGO", "A book on algorithms", 89_00), ("CARD-BOX", "Punched cards, box of 500", 19_90),
    ("CABLE-2M", "Cable, two metres", 7_50), ("KEYB-DE", "Keyboard, German layout", 129_00), ("KEYB-US", "Keyboard, US layout", 129_00),
    ("LAMP-1", "Desk lamp", 45_00), ("MUG-01", "Mug, white", 9_90), ("PEN-BLUE", "Pen, blue", 2_40), ("ROLL-1", "Paper roll", 4_20),
)  # fmt: skip
_STATUSES = (OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.SHIPPED, OrderStatus.SHIPPED, OrderStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class SeedBatch:
    """Users with their orders."""

    users: tuple[User, ...]
    orders: tuple[Order, ...]


def generate(number: int, users: int, password: PasswordHash) -> Iterator[SeedBatch]:
    """Generate users, with up to six orders each, all with one password."""
    chance = random.Random(number)  # noqa: S311 must be repeatable
    for start in range(0, users, _BATCH):
        people = tuple(_user(chance, number, index, password) for index in range(start, min(start + _BATCH, users)))
        orders = tuple(_order(chance, user) for user in people for _ in range(chance.randint(0, _MAX_ORDERS)))
        yield SeedBatch(people, orders)


def _user(chance: random.Random, number: int, index: int, password: PasswordHash) -> User:
    first, last = chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)
    moment = _moment(chance)
    phone = PhoneNumber(f"+1 555 {chance.randrange(10_000):04}") if chance.random() < 0.7 else None  # noqa: PLR2004 most have one
    address = EmailAddress(f"user{index}.{number}@example.org")
    return User(UserId(_uuid(chance)), Profile(PersonName(first, last), address, phone), password, moment, moment, version=1)


def _order(chance: random.Random, user: User) -> Order:
    articles = chance.sample(_ARTICLES, chance.randint(1, _MAX_LINES))
    lines = tuple(OrderLine(sku, title, chance.randint(1, 5), Money(price, Currency.EUR)) for sku, title, price in articles)
    moment = user.created_at + timedelta(seconds=chance.randrange(90 * 86_400))
    return Order(OrderId(_uuid(chance)), user.id, lines, chance.choice(_STATUSES), moment, moment, version=1)


def _moment(chance: random.Random) -> datetime:
    return _FROM + timedelta(seconds=chance.randrange(_DAYS * 86_400))


def _uuid(chance: random.Random) -> uuid.UUID:
    return uuid.UUID(int=chance.getrandbits(128), version=4)
