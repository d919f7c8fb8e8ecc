"""Password hashing by argon2id, with argon2-cffi's parameters (RFC 9106, low-memory profile)."""

from __future__ import annotations

import asyncio
import base64
import secrets

import argon2
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from shop.domain.values import PasswordHash

DEFAULT = argon2.profiles.get_default_parameters()

# A hash takes 64 MiB and all of a core for tens of milliseconds: a burst of logins must queue rather than take the machine's memory.
_AT_ONCE = 4


class Argon2PasswordHasher:
    """`PasswordHasher` in worker threads: argon2 releases the interpreter lock while it works."""

    def __init__(self, parameters: argon2.Parameters = DEFAULT) -> None:
        self._argon2 = argon2.PasswordHasher.from_parameters(parameters)
        self._decoy = _decoy(parameters)
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> PasswordHash:
        """Hash a password with a fresh salt."""
        async with self._turn:
            return PasswordHash(await asyncio.to_thread(self._argon2.hash, password))

    async def verify(self, password: str, hashed: PasswordHash | None) -> bool:
        """Return whether this is the password that was hashed.

        Without a hash it is not, and neither with one of another algorithm; both take as long as a wrong password does, from the first
        time on: whoever asks cannot see whether there is such a user. (A hash made with other parameters than today's takes the time of
        those, until its user has logged in.)
        """
        if hashed is None:
            await self._opens(password, self._decoy)
            return False
        try:
            return await self._opens(password, hashed)
        except InvalidHashError:
            await self._opens(password, self._decoy)
            return False

    def is_outdated(self, hashed: PasswordHash) -> bool:
        """Return whether a hash was made with other parameters than a fresh one would be."""
        return self._argon2.check_needs_rehash(hashed.encoded)

    async def _opens(self, password: str, hashed: PasswordHash) -> bool:
        async with self._turn:
            try:
                # What is tried is any text, halves of characters too, which no encoding has.
                return await asyncio.to_thread(self._argon2.verify, hashed.encoded, password.encode(errors="surrogatepass"))
            except VerifyMismatchError:
                return False


def _decoy(parameters: argon2.Parameters) -> PasswordHash:
    """Make a hash that nothing opens, without the work of hashing: random bytes where the hash of a password would be."""
    kind = {argon2.Type.D: "argon2d", argon2.Type.I: "argon2i", argon2.Type.ID: "argon2id"}[parameters.type]
    cost = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).rstrip(b"=").decode() for length in (parameters.salt_len, parameters.hash_len)
    )
    return PasswordHash(f"${kind}$v={parameters.version}${cost}${salt}${digest}")
