"""The port for password hashing."""

from __future__ import annotations

from typing import Protocol

from shop.domain.values import PasswordHash


class PasswordHasher(Protocol):
    """Hashes passwords, slowly on purpose, without holding up the event loop."""

    async def hash(self, password: str) -> PasswordHash:
        """Hash a password with a fresh salt."""
        ...

    async def verify(self, password: str, hashed: PasswordHash | None) -> bool:
        """Tell whether this is the password that was hashed. Without a hash it is not, which takes just as long to tell."""
        ...

    def is_outdated(self, hashed: PasswordHash) -> bool:
        """Tell whether a hash was made with other parameters than a fresh one would be."""
        ...
