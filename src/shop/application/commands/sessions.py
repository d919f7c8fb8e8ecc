"""Sessions: the use cases of logging in and out, and of staying logged in."""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from shop.application.authorisation import Action, NotAllowed
from shop.application.commands.access_tokens import AccessClaims, AccessTokens, NoSigningKey
from shop.application.commands.address_limit import AddressLimit
from shop.application.commands.open_sessions import OpenSessions
from shop.application.commands.session_store import ReusedToken, Session, SessionStore, SessionStoreLost
from shop.application.commands.users import AUTHENTICATE, LoginError, UserCommands, UserStores, WrongCredentials, login_subject
from shop.application.context import Context
from shop.application.outages import SETTLED, Outage
from shop.application.transactions.failures import Failure
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Transactions
from shop.domain.result import Err, Ok, Result
from shop.domain.users import UserNotFound
from shop.domain.values import EmailAddress, UserId

_log = logging.getLogger("shop.sessions")

_BYTES = 32
_REFRESH_TOKEN = re.compile(r"([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})")
_ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class SessionsUnavailable:
    """The session store is unavailable, or no key signs: nobody can log in; without the store no session can be listed or ended."""

    reason: str

    def __str__(self) -> str:
        return f"sessions are unavailable: {self.reason}"


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The refresh token belongs to no open session, or was used before, which has ended its session."""

    def __str__(self) -> str:
        return "the session has ended; log in"


@dataclass(frozen=True, slots=True)
class SessionNotFound:
    """The user has no open session with this id."""

    session_id: str

    def __str__(self) -> str:
        return f"there is no session {self.session_id}"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a session that was just opened or refreshed. They are nowhere else, and are never printed."""

    session_id: str
    user_id: UserId
    refresh: str = field(repr=False)
    refresh_lifetime: timedelta
    access: str = field(repr=False)
    access_lifetime: timedelta


EndError: TypeAlias = NotAllowed | SessionNotFound | SessionsUnavailable
EndAllError: TypeAlias = NotAllowed | UserNotFound


class SessionCommands:
    """Opens, continues and ends sessions.

    A session has a refresh token of two secrets, `family.part`. The session's id is a digest of the family, and the part changes with each
    refresh: so a token with the right family and another part was used before, and whoever only knows the id can end nothing.
    """

    def __init__(
        self,
        users: UserCommands,
        transactions: Transactions[UserStores],
        store: SessionStore,
        tokens: AccessTokens,
        lifetime: timedelta,
        *,
        remembered: float,
        limit: AddressLimit,
    ) -> None:
        self._users = users
        self._transactions = transactions
        self._store = store
        self._tokens = tokens
        self._lifetime = lifetime
        self._open = OpenSessions(store, remembered)
        self._limit = limit
        self._outage = Outage(_log, "the session store is unavailable", "the session store is available again", settled=SETTLED)

    async def log_in(
        self, context: Context, email: EmailAddress, password: str
    ) -> Result[Tokens, LoginError | SessionsUnavailable | Failure]:
        """Open a session of the user with this address and password."""
        refused = await self._limit.refusal(context, AUTHENTICATE, login_subject(email))
        return await self._log_in(context, email, password) if refused is None else refused

    async def _log_in(
        self, context: Context, email: EmailAddress, password: str
    ) -> Result[Tokens, LoginError | SessionsUnavailable | Failure]:
        authenticated = await self._users.authenticate(context, email, password)
        if isinstance(authenticated, Err):
            return authenticated
        user, family, part = authenticated.value, _secret(), _secret()
        session_id, generation = _session_id(family), user.session_generation
        try:
            # First: a session that was stored would have no token.
            access = self._tokens.issue(AccessClaims(user.id, session_id, generation))
            await self._store.open(session_id, _digest(part), user.id, generation, context.origin, self._lifetime)
            # Whoever ended all sessions, or erased the user, before this one was stored did not find it.
            current = await self._users.session_generation(context, user.id)
            if isinstance(current, Ok) and current.value != generation:
                # Of an earlier generation. If the password was changed, it is wrong by now.
                await self._store.close(session_id)
                return await self._log_in(context, email, password)
            if isinstance(current, Err):
                return await self._unopened(user.id, session_id, current.error)
        except NoSigningKey as missing:
            return Err(SessionsUnavailable(str(missing)))
        except SessionStoreLost as lost:
            return Err(self._lost(lost))
        return Ok(self._issued(session_id, user.id, access, f"{family}.{part}", self._lifetime))

    async def _unopened(self, user_id: UserId, session_id: str, error: UserNotFound | Failure) -> Err[WrongCredentials | Failure]:
        """Remove a session whose generation is not known, and return what the login is answered."""
        if isinstance(error, UserNotFound):
            # With the list of the user's sessions.
            await self._store.close_all(user_id)
            return Err(WrongCredentials())
        await self._store.close(session_id)
        return Err(error)

    async def refresh(self, context: Context, token: str) -> Result[Tokens, SessionEnded | SessionsUnavailable | Failure]:
        """Continue a session: return new tokens for its refresh token, which is then used up. A used one ends its session."""
        parts = _REFRESH_TOKEN.fullmatch(token)
        if parts is None:
            return Err(SessionEnded())
        session_id, following = _session_id(parts[1]), _secret()
        try:
            known = await self._store.get(session_id)
            if known is None:
                return Err(SessionEnded())
            # Before the token is used up: without the database, or a key that signs, the client keeps it, and tries again.
            current = await self._transactions.run(context, "session.refresh", lambda operation: _current(operation, known))
            if isinstance(current, Err):
                if isinstance(current.error, SessionEnded):
                    await self._store.close(session_id)
                return current
            access = self._tokens.issue(AccessClaims(known.user_id, session_id, known.generation))
            rotated = await self._store.rotate(session_id, _digest(parts[2]), _digest(following))
        except NoSigningKey as missing:
            return Err(SessionsUnavailable(str(missing)))
        except SessionStoreLost as lost:
            return Err(self._lost(lost))
        match rotated:
            case Session(user_id=user_id, refreshed_at=now, ends_at=ends):
                return Ok(self._issued(session_id, user_id, access, f"{parts[1]}.{following}", ends - now))
            case ReusedToken(session):
                self._open.closed(session.id)
                return await self._transactions.run(context, "session.refresh", lambda operation: _refused(operation, session, rotated))
            case None:
                return Err(SessionEnded())

    async def identify(self, token: str) -> AccessClaims | None:
        """Return what an access token states, None if it is not valid, or its session has ended or is not that of its user.

        Its generation is still to be compared with that of the user.
        """
        claims = self._tokens.read(token)
        return claims if claims is not None and await self._open.is_open(claims.session_id, claims.user_id) else None

    async def sessions(
        self, context: Context, user_id: UserId
    ) -> Result[Sequence[Session], NotAllowed | UserNotFound | SessionsUnavailable | Failure]:
        """Return the open sessions of a user, the latest first."""
        generation = await self._transactions.run(context, Action.LIST_SESSIONS, lambda operation: _listed(operation, context, user_id))
        if isinstance(generation, Err):
            return generation
        try:
            found = await self._store.of_user(user_id)
        except SessionStoreLost as lost:
            return Err(self._lost(lost))
        return Ok([each for each in found if each.generation == generation.value])

    async def end(self, context: Context, user_id: UserId, session_id: str) -> Result[None, EndError | Failure]:
        """End a session of a user: log out."""
        subject = f"user:{user_id}"

        async def work(operation: Operation[UserStores]) -> Result[None, EndError]:
            if (denied := await operation.denied(subject, user_id)) is not None:
                return denied
            try:
                session = await self._store.get(session_id)
                if session is None or session.user_id != user_id:
                    error = SessionNotFound(session_id)
                    await operation.refused(subject, error)
                    return Err(error)
                # Before the commit, and more than once if the transaction is retried: a session that has ended stays so.
                await self._store.close(session_id)
            except SessionStoreLost as lost:
                return Err(self._lost(lost))
            self._open.closed(session_id)
            await operation.done(subject, session=session_id)
            return Ok(None)

        return await self._transactions.run(context, Action.END_SESSION, work)

    async def end_all(self, context: Context, user_id: UserId) -> Result[None, EndAllError | Failure]:
        """End all sessions of a user: log out everywhere. It takes no session store, which may be lost."""
        ended = await self._users.end_sessions(context, user_id)
        current = await self._users.session_generation(context, user_id) if isinstance(ended, Ok) else ended
        if isinstance(current, Ok):
            # Where the store is lost, they are refused all the same: they are of an earlier generation.
            with suppress(SessionStoreLost):
                await self._store.close_all(user_id, current.value)
        return ended

    def published_keys(self) -> Sequence[dict[str, str]]:
        """Return the public keys of access tokens, as in a JSON Web Key Set."""
        return [dict(each) for each in self._tokens.published()]

    def _lost(self, lost: SessionStoreLost) -> SessionsUnavailable:
        self._outage.begin(lost)
        return SessionsUnavailable(str(lost))

    def _issued(self, session_id: str, user_id: UserId, access: str, refresh: str, refresh_lifetime: timedelta) -> Tokens:
        # A session was written.
        self._outage.end()
        return Tokens(session_id, user_id, refresh, refresh_lifetime, access, self._tokens.lifetime)


async def _current(operation: Operation[UserStores], session: Session) -> Result[None, SessionEnded]:
    read = await operation.repositories.users.get(session.user_id)
    return Ok(None) if isinstance(read, Ok) and read.value.session_generation == session.generation else Err(SessionEnded())


async def _listed(operation: Operation[UserStores], context: Context, user_id: UserId) -> Result[int, NotAllowed | UserNotFound]:
    subject = f"user:{user_id}"
    if (denied := await operation.denied(subject, user_id)) is not None:
        return denied
    read = await operation.repositories.users.get(user_id)
    if isinstance(read, Err):
        await operation.refused(subject, read.error)
        return read
    # As in all reads, what users read about themselves is not recorded.
    if context.actor.user_id != user_id:
        await operation.done(subject)
    return Ok(read.value.session_generation)


async def _refused(operation: Operation[UserStores], session: Session, reused: ReusedToken) -> Result[Tokens, SessionEnded]:
    await operation.refused(f"user:{session.user_id}", reused, session=session.id)
    return Err(SessionEnded())


def _secret() -> str:
    return secrets.token_urlsafe(_BYTES)


def _digest(secret: str) -> str:
    # A secret has 256 random bits, so its digest needs neither salt nor time.
    return hashlib.sha256(secret.encode()).hexdigest()


def _session_id(family: str) -> str:
    return _digest(family)[:_ID_DIGITS]
