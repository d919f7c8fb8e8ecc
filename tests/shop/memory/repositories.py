"""The repositories of a unit of work in memory."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from shop.application.commands.seed_data import SeedBatch
from shop.application.transactions.audit import AuditEntry
from shop.application.transactions.unit_of_work import CollectedEvents
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.orders import NewOrder, Order, OrderNotFound
from shop.domain.result import Err, Ok, Result
from shop.domain.users import AddressChanges, EmailTaken, NewUser, Profile, User, UserHasOrders, UserNotFound
from shop.domain.values import EmailAddress, OrderId, UserId

from .state import MemoryTransaction


class MemoryUserRepository:
    """`UserRepository` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction, events: CollectedEvents) -> None:
        self._transaction = transaction
        self._events = events

    async def add(self, new: NewUser) -> Result[User, EmailTaken]:
        """Register a user."""
        if self._has_address(new.profile.email):
            return Err(EmailTaken(new.profile.email))
        now = self._transaction.tick()
        user = self._events.collect(new.registered(UserId(uuid.uuid4()), now))
        self._transaction.state.users[user.id] = user
        return Ok(user)

    async def add_all(self, new: Sequence[NewUser]) -> Sequence[EmailTaken]:
        """Register many users of different addresses, except those whose address is taken, which are returned."""
        added = [await self.add(each) for each in new]
        return [each.error for each in added if isinstance(each, Err)]

    async def get(self, user_id: UserId) -> Result[User, UserNotFound]:
        """Return the user with this id."""
        user = self._transaction.state.users.get(user_id)
        return Err(UserNotFound(user_id)) if user is None else Ok(user)

    async def get_by_email(self, email: EmailAddress) -> Result[User, UserNotFound]:
        """Return the user with this e-mail address, in any case."""
        users = self._transaction.state.users.values()
        return next((Ok(user) for user in users if user.profile.email == email), Err(UserNotFound(email)))

    async def address_changes(self, user_id: UserId, within: timedelta) -> AddressChanges:  # noqa: ARG002 - as of a new user
        """Return no changes: this store keeps no addresses of before, so it has no limit on their number."""
        return AddressChanges(0, 0.0)

    async def save_profile(
        self,
        user: User,
        before: Profile | None = None,  # noqa: ARG002 - what has not changed is the same
        *,
        is_own: bool = True,  # noqa: ARG002 - this store has no limit on changes
    ) -> Result[User, UserNotFound | EmailTaken | ChangedMeanwhile]:
        """Write the user's profile, or what differs from the one `before`, and return the user as stored.

        `is_own` is whether the change is one by the user. Writes nothing if `user.version` is not the current version.
        """
        current = await self._current(user)
        if isinstance(current, Err):
            return current
        if self._has_address(user.profile.email, but=user.id):
            return Err(EmailTaken(user.profile.email))
        return Ok(self._write(user))

    async def save_password(self, user: User, *, is_rehashed: bool = False) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Write the user's password, and end the user's sessions, unless it is a new hash of the same password.

        Writes nothing if `user.version` is not the current version.
        """
        current = await self._current(user)
        if isinstance(current, Err):
            return current
        generation = current.value.session_generation
        self._write(replace(user, session_generation=generation if is_rehashed else _next(generation)))
        return Ok(None)

    async def end_sessions(self, user_id: UserId) -> Result[None, UserNotFound]:
        """Begin the next generation of the user's sessions."""
        read = await self.get(user_id)
        if isinstance(read, Err):
            return read
        self._transaction.state.users[user_id] = replace(read.value, session_generation=_next(read.value.session_generation))
        return Ok(None)

    async def save_role(self, user: User) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Write the user's role. Writes nothing if `user.version` is not the current version."""
        return await self.save_password(user, is_rehashed=True)

    async def delete(self, user: User) -> Result[None, UserNotFound | UserHasOrders | ChangedMeanwhile]:
        """Delete the user. Writes nothing if `user.version` is not the current version."""
        state = self._transaction.state
        current = await self._current(user)
        if isinstance(current, Err):
            return current
        if any(order.user_id == user.id for order in state.orders.values()):
            return Err(UserHasOrders(user.id))
        del state.users[user.id]
        self._events.collect(user)
        return Ok(None)

    async def erase(self, user: User) -> Result[None, UserNotFound | ChangedMeanwhile]:
        """Erase the user's personal data. Afterwards the user is not found, and its orders are.

        Writes nothing if `user.version` is not the current version.
        """
        current = await self._current(user)
        if isinstance(current, Err):
            return current
        del self._transaction.state.users[user.id]
        self._events.collect(user)
        return Ok(None)

    async def _current(self, user: User) -> Result[User, UserNotFound | ChangedMeanwhile]:
        read = await self.get(user.id)
        return read if isinstance(read, Err) else read.value.expect_version({user.version})

    def _has_address(self, email: EmailAddress, *, but: UserId | None = None) -> bool:
        return any(user.profile.email == email for user in self._transaction.state.users.values() if user.id != but)

    def _write(self, user: User) -> User:
        now = max(user.updated_at, self._transaction.tick())
        written = replace(self._events.collect(user), updated_at=now, version=user.version + 1)
        self._transaction.state.users[user.id] = written
        return written


def _next(generation: int) -> int:
    return max(generation + 1, time.time_ns() // 1_000_000)


class MemoryOrderRepository:
    """`OrderRepository` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction, events: CollectedEvents) -> None:
        self._transaction = transaction
        self._events = events

    async def add(self, new: NewOrder) -> Result[Order, UserNotFound]:
        """Place an order."""
        state = self._transaction.state
        if new.user_id not in state.users:
            return Err(UserNotFound(new.user_id))
        now = self._transaction.tick()
        order = self._events.collect(new.placed(OrderId(uuid.uuid4()), now))
        state.orders[order.id] = order
        return Ok(order)

    async def get(self, order_id: OrderId) -> Result[Order, OrderNotFound]:
        """Return the order with this id."""
        order = self._transaction.state.orders.get(order_id)
        return Err(OrderNotFound(order_id)) if order is None else Ok(order)

    async def save_status(self, order: Order) -> Result[Order, OrderNotFound | ChangedMeanwhile]:
        """Write the order's status and return the order as stored. Writes nothing if `order.version` is not the current version."""
        read = await self.get(order.id)
        if isinstance(read, Err):
            return read
        if read.value.version != order.version:
            return Err(ChangedMeanwhile("order", order.id))
        now = max(read.value.updated_at, self._transaction.tick())
        written = replace(self._events.collect(order), updated_at=now, version=order.version + 1)
        self._transaction.state.orders[order.id] = written
        return Ok(written)


class MemoryAuditLog:
    """`AuditLog` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def append(self, entry: AuditEntry) -> None:
        """Append an entry."""
        self._transaction.state.audit.append((self._transaction.tick(), entry))


class MemorySeedRepository:
    """`SeedRepository` in the state of a transaction."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def add(self, batch: SeedBatch) -> int:
        """Write a batch and return the number of new users. Users whose id or address exists are left out, with their orders."""
        state = self._transaction.state
        taken = {user.profile.email for user in state.users.values()}
        new = {user.id: user for user in batch.users if user.id not in state.users and user.profile.email not in taken}
        state.users |= new
        state.orders |= {order.id: order for order in batch.orders if order.user_id in new}
        return len(new)
