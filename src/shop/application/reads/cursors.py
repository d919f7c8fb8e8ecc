"""Cursors: opaque tokens for the start of a page of a listing."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest, digest

from shop.domain.result import Err, Ok, Result

_MARK_SIZE = 16


@dataclass(frozen=True, slots=True)
class InvalidCursor:
    """The text is not a cursor of this listing."""

    listing: str

    def __str__(self) -> str:
        return f'this is not a cursor of the listing "{self.listing}"'


class Cursors:
    """Writes and reads cursors. The first key signs them, and those of all keys are accepted.

    Without a key, a digest detects cursors of other listings, and truncated or mistyped ones.
    """

    def __init__(self, *keys: bytes) -> None:
        self._keys = keys or (b"",)

    def encode(self, listing: str, *key: str) -> str:
        """Return the cursor for the key of a page's last row. `listing` names the listing including its filters."""
        content = json.dumps(key, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(_mark(self._keys[0], listing, content) + content).rstrip(b"=").decode()

    def decode(self, listing: str, cursor: str, length: int) -> Result[tuple[str, ...], InvalidCursor]:
        """Return the key, of `length` parts, that a cursor of this listing encodes."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mark, content = raw[:_MARK_SIZE], raw[_MARK_SIZE:]
            is_ours = any(compare_digest(mark, _mark(key, listing, content)) for key in self._keys)
            key = tuple(json.loads(content)) if is_ours else ()
        except (binascii.Error, ValueError):
            key = ()
        return Ok(key) if len(key) == length else Err(InvalidCursor(listing))


def _mark(key: bytes, listing: str, content: bytes) -> bytes:
    name = listing.encode()
    # With the length: other names with other contents would be the same text. With a word: the generated pages have the same keys.
    signed = b"shop listing %d:%b%b" % (len(name), name, content)
    return (digest(key, signed, "sha256") if key else sha256(signed).digest())[:_MARK_SIZE]
