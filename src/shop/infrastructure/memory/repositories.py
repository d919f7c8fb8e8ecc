"""The write repositories in memory."""

from __future__ import annotations

import uuid
from dataclasses import replace

from shop.application.audit import AuditEntry
from shop.application.seeding import SeedBatch
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.orders import NewOrder, Order, OrderId, OrderNotFound, OrderStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, NewUser, Profile, User, UserHasOrders, UserNotFound
from shop.domain.values import EmailAddress, PasswordHash, UserId
from shop.infrastructure.memory.state import MemoryTransaction


class MemoryUserRepository:
    """`UserRepository` in a transaction's state."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, new: NewUser) -> Result[User, EmailTaken]:
        """Register a user."""
        if self._has_address(new.profile.email):
            return Err(EmailTaken(new.profile.email))
        now = self._transaction.tick()
        user = User(UserId(uuid.uuid4()), new.profile, new.password, created_at=now, updated_at=now, version=1)
        self._transaction.state.users[user.id] = user
        return Ok(user)

    async def get(self, user_id: UserId) -> Result[User, UserNotFound]:
        """Get a user by id."""
        user = self._transaction.state.users.get(user_id)
        return Err(UserNotFound(user_id)) if user is None else Ok(user)

    async def get_by_email(self, email: EmailAddress) -> Result[User, UserNotFound]:
        """Get a user by e-mail address, whatever its case."""
        users = self._transaction.state.users.values()
        return next((Ok(user) for user in users if user.profile.email == email), Err(UserNotFound(email)))

    async def update_profile(
        self, user_id: UserId, profile: Profile, *, version: int
    ) -> Result[User, UserNotFound | EmailTaken | ChangedMeanwhile]:
        """Replace a user's profile, and get the user as it is then. Nothing is written where `version` is not the current one."""
        current = await self._current(user_id, version)
        if isinstance(current, Err):
            return current
        if self._has_address(profile.email, but=user_id):
            return Err(EmailTaken(profile.email))
        return Ok(self._write(replace(current.value, profile=profile)))

    async def update_password(
        self, user_id: UserId, password: PasswordHash, *, version: int
    ) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Replace a user's password. Nothing is written where `version` is not the current one."""
        current = await self._current(user_id, version)
        if isinstance(current, Err):
            return current
        self._write(replace(current.value, password=password))
        return Ok(None)

    async def delete(self, user_id: UserId) -> Result[None, UserNotFound | UserHasOrders]:
        """Delete a user for good."""
        state = self._transaction.state
        if any(order.user_id == user_id for order in state.orders.values()):
            return Err(UserHasOrders(user_id))
        return Err(UserNotFound(user_id)) if state.users.pop(user_id, None) is None else Ok(None)

    async def _current(self, user_id: UserId, version: int) -> Result[User, UserNotFound | ChangedMeanwhile]:
        read = await self.get(user_id)
        if isinstance(read, Ok) and read.value.version != version:
            return Err(ChangedMeanwhile("user", user_id))
        return read

    def _has_address(self, email: EmailAddress, but: UserId | None = None) -> bool:
        return any(user.profile.email == email and user.id != but for user in self._transaction.state.users.values())

    def _write(self, user: User) -> User:
        written = replace(user, updated_at=max(user.updated_at, self._transaction.tick()), version=user.version + 1)
        self._transaction.state.users[user.id] = written
        return written


class MemoryOrderRepository:
    """`OrderRepository` in a transaction's state."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, new: NewOrder) -> Result[Order, UserNotFound]:
        """Place an order."""
        state = self._transaction.state
        if new.user_id not in state.users:
            return Err(UserNotFound(new.user_id))
        now = self._transaction.tick()
        order = Order(OrderId(uuid.uuid4()), new.user_id, new.lines, OrderStatus.PLACED, placed_at=now, updated_at=now, version=1)
        state.orders[order.id] = order
        return Ok(order)

    async def get(self, order_id: OrderId) -> Result[Order, OrderNotFound]:
        """Get an order."""
        order = self._transaction.state.orders.get(order_id)
        return Err(OrderNotFound(order_id)) if order is None else Ok(order)

    async def save_status(self, order: Order) -> Result[Order, OrderNotFound | ChangedMeanwhile]:
        """Write the order's status, and get the order as it is then. Nothing is written where `order.version` is not the current one."""
        read = await self.get(order.id)
        if isinstance(read, Err):
            return read
        if read.value.version != order.version:
            return Err(ChangedMeanwhile("order", order.id))
        now = max(read.value.updated_at, self._transaction.tick())
        written = replace(read.value, status=order.status, updated_at=now, version=order.version + 1)
        self._transaction.state.orders[order.id] = written
        return Ok(written)


class MemoryAuditLog:
    """`AuditLog` in a transaction's state."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def append(self, entry: AuditEntry) -> None:
        """Append an entry."""
        self._transaction.state.audit.append((self._transaction.tick(), entry))


class MemorySeedRepository:
    """`SeedRepository` in a transaction's state."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, batch: SeedBatch) -> int:
        """Write a batch, and return how many users were new. Those whose id or address is there already are left out, with their orders."""
        state = self._transaction.state
        taken = {user.profile.email for user in state.users.values()}
        new = {user.id: user for user in batch.users if user.id not in state.users and user.profile.email not in taken}
        state.users |= new
        state.orders |= {order.id: order for order in batch.orders if order.user_id in new}
        return len(new)
