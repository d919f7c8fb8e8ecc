"""All read repositories."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from shop.application.reads.audit import AuditReadRepository
from shop.application.reads.dead_letters import DeadLetterReadRepository
from shop.application.reads.orders import OrderReadRepository
from shop.application.reads.users import UserReadRepository


@dataclass(frozen=True, slots=True)
class ReadRepositories:
    """The read repositories, on one connection."""

    users: UserReadRepository
    orders: OrderReadRepository
    audit: AuditReadRepository
    dead_letters: DeadLetterReadRepository


OpenReadRepositories: TypeAlias = Callable[[], AbstractAsyncContextManager[ReadRepositories]]
"""Opens the read repositories; its block may raise `StoreLost`."""
