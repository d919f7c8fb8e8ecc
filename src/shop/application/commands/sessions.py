"""Sessions: the use cases of logging in and out, and the port that stores who is logged in."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from shop.application.authorisation import Action, NotAllowed, refusal
from shop.application.commands.users import LoginError, UserCommands
from shop.application.context import Context
from shop.application.transactions.failures import Failure
from shop.domain.result import Err, Ok, Result
from shop.domain.users import User
from shop.domain.values import EmailAddress, UserId

_TOKEN_BYTES = 32


class SessionStoreLost(Exception):
    """The session store does not answer."""


class SessionStore(Protocol):
    """Stores sessions by the digests of their tokens, so that its content logs nobody in. Every method raises `SessionStoreLost`."""

    async def open(self, digest: str, user_id: UserId, lifetime: timedelta) -> None:
        """Store a session, which ends after its lifetime."""
        ...

    async def holder(self, digest: str) -> UserId | None:
        """Return whose session this is, None if there is none."""
        ...

    async def close(self, digest: str) -> None:
        """End a session, if there is one."""
        ...

    async def close_all(self, user_id: UserId) -> None:
        """End all sessions of a user."""
        ...


@dataclass(frozen=True, slots=True)
class SessionsUnavailable:
    """The session store is unavailable: nobody can log in or out, and no session can be verified."""

    reason: str

    def __str__(self) -> str:
        return f"sessions are unavailable: {self.reason}"


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session that was just opened. The token is nowhere else, and is never printed."""

    token: str = field(repr=False)
    user: User
    lifetime: timedelta


class SessionCommands:
    """Opens and ends sessions."""

    def __init__(self, users: UserCommands, store: SessionStore, lifetime: timedelta) -> None:
        self._users = users
        self._store = store
        self._lifetime = lifetime

    async def log_in(
        self, context: Context, email: EmailAddress, password: str
    ) -> Result[OpenedSession, LoginError | SessionsUnavailable | Failure]:
        """Open a session of the user with this address and password."""
        authenticated = await self._users.authenticate(context, email, password)
        if isinstance(authenticated, Err):
            return authenticated
        user, token = authenticated.value, secrets.token_urlsafe(_TOKEN_BYTES)
        try:
            await self._store.open(_digest(token), user.id, self._lifetime)
        except SessionStoreLost as lost:
            return Err(SessionsUnavailable(str(lost)))
        return Ok(OpenedSession(token, user, self._lifetime))

    async def holder(self, token: str) -> Result[UserId | None, SessionsUnavailable]:
        """Return whose session this is, None if it has ended or never was."""
        try:
            return Ok(await self._store.holder(_digest(token)))
        except SessionStoreLost as lost:
            return Err(SessionsUnavailable(str(lost)))

    async def log_out(self, token: str) -> Result[None, SessionsUnavailable]:
        """End a session, if there is one."""
        try:
            await self._store.close(_digest(token))
        except SessionStoreLost as lost:
            return Err(SessionsUnavailable(str(lost)))
        return Ok(None)

    async def log_out_everywhere(self, context: Context, user_id: UserId) -> Result[None, NotAllowed | SessionsUnavailable]:
        """End all sessions of a user."""
        denied = refusal(context.actor, Action.END_SESSIONS, user_id)
        if denied is not None:
            return Err(denied)
        try:
            await self._store.close_all(user_id)
        except SessionStoreLost as lost:
            return Err(SessionsUnavailable(str(lost)))
        return Ok(None)


def _digest(token: str) -> str:
    # A token has 256 random bits, so its digest needs neither salt nor time.
    return hashlib.sha256(token.encode()).hexdigest()
