"""The port of password hashing."""

from __future__ import annotations

from typing import Protocol

from shop.domain.values import PasswordHash


class PasswordHasher(Protocol):
    """Hashes passwords, slowly by design, without blocking the event loop."""

    async def hash(self, password: str) -> PasswordHash:
        """Hash a password with a new salt."""
        ...

    async def verify(self, password: str, hashed: PasswordHash | None) -> bool:
        """Return whether this is the password of the hash. Without a hash return False, after the same time."""
        ...

    def is_outdated(self, hashed: PasswordHash) -> bool:
        """Return whether the hash was made with other parameters than the current ones."""
        ...
