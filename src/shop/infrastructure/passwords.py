"""Password hashing by argon2id, with the default parameters of argon2-cffi (RFC 9106, low-memory profile)."""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
from dataclasses import replace

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from shop.application.cancellation import to_the_end
from shop.domain.result import Ok
from shop.domain.values import PasswordHash

_log = logging.getLogger("shop.passwords")

DEFAULT = argon2.profiles.get_default_parameters()

# A hash takes 64 MiB and a processor core for tens of milliseconds: a burst of logins must queue rather than exhaust the memory.
_AT_ONCE = 4


def parameters(*, memory_kib: int, passes: int, lanes: int) -> argon2.Parameters:
    """Return the parameters of this cost."""
    return replace(DEFAULT, memory_cost=memory_kib, time_cost=passes, parallelism=lanes)


class Argon2PasswordHasher:
    """`PasswordHasher` in worker threads: argon2 releases the global interpreter lock. A cancelled call ends with its thread."""

    def __init__(self, parameters: argon2.Parameters = DEFAULT) -> None:
        self._argon2 = argon2.PasswordHasher.from_parameters(parameters)
        self._decoy = _decoy(parameters)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> PasswordHash:
        """Hash a password with a new salt."""
        async with self._slots:
            return PasswordHash(await to_the_end(asyncio.to_thread(self._argon2.hash, password)))

    async def verify(self, password: str, hashed: PasswordHash | None) -> bool:
        """Return whether this is the password of the hash.

        Without a hash, or with one that nothing can be verified against, return False after the time of a wrong password, so that the time
        does not disclose whether the user exists. (A hash with outdated parameters takes their time, until its user logs in.)
        """
        if hashed is not None:
            # Of any cost, a damaged one could take all memory.
            parsed = PasswordHash.parse(hashed.encoded)
            if isinstance(parsed, Ok):
                try:
                    return await self._matches(password, hashed)
                except (InvalidHashError, VerificationError) as error:
                    _log.warning("a stored hash cannot be verified: %s", type(error).__name__)
            else:
                _log.warning("a stored hash cannot be verified: %s", parsed.error)
        await self._matches(password, self._decoy)
        return False

    def is_outdated(self, hashed: PasswordHash) -> bool:
        """Return whether the hash was made with other parameters than the current ones."""
        return self._argon2.check_needs_rehash(hashed.encoded)

    async def _matches(self, password: str, hashed: PasswordHash) -> bool:
        async with self._slots:
            try:
                # An attempt may be any text, also lone surrogates, which UTF-8 cannot encode.
                return await to_the_end(asyncio.to_thread(self._argon2.verify, hashed.encoded, password.encode(errors="surrogatepass")))
            except VerifyMismatchError:
                return False


def _decoy(parameters: argon2.Parameters) -> PasswordHash:
    """Return a hash that matches no password, without the cost of hashing: its digest is random."""
    kind = {argon2.Type.D: "argon2d", argon2.Type.I: "argon2i", argon2.Type.ID: "argon2id"}[parameters.type]
    cost = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).rstrip(b"=").decode() for length in (parameters.salt_len, parameters.hash_len)
    )
    return PasswordHash(f"${kind}$v={parameters.version}${cost}${salt}${digest}")
