"""Password hashing by argon2id, with argon2-cffi's parameters (RFC 9106, low-memory profile)."""

from __future__ import annotations

import asyncio

import argon2
from argon2.exceptions import VerifyMismatchError

from shop.domain.values import PasswordHash

DEFAULT = argon2.profiles.get_default_parameters()

# A hash takes 64 MiB and all of a core for tens of milliseconds: a burst of logins must queue rather than take the machine's memory.
_AT_ONCE = 4


class Argon2PasswordHasher:
    """`PasswordHasher` in worker threads: argon2 releases the interpreter lock while it works."""

    def __init__(self, parameters: argon2.Parameters = DEFAULT) -> None:
        self._argon2 = argon2.PasswordHasher.from_parameters(parameters)
        self._decoy: PasswordHash | None = None
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> PasswordHash:
        """Hash a password with a fresh salt."""
        async with self._turn:
            return PasswordHash(await asyncio.to_thread(self._argon2.hash, password))

    async def verify(self, password: str, hashed: PasswordHash | None) -> bool:
        """Tell whether this is the password that was hashed. Raises argon2's `InvalidHashError` for a hash of another algorithm.

        Without a hash it is not, which takes just as long to tell: whoever asks cannot see whether there is such a user.
        """
        if hashed is None:
            self._decoy = self._decoy or await self.hash("")
            await self._opens(password, self._decoy)
            return False
        return await self._opens(password, hashed)

    def is_outdated(self, hashed: PasswordHash) -> bool:
        """Tell whether a hash was made with other parameters than a fresh one would be."""
        return self._argon2.check_needs_rehash(hashed.encoded)

    async def _opens(self, password: str, hashed: PasswordHash) -> bool:
        async with self._turn:
            try:
                return await asyncio.to_thread(self._argon2.verify, hashed.encoded, password)
            except VerifyMismatchError:
                return False
