"""Cursors: opaque tokens for the start of a page of a listing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from shop.domain.result import Err, Ok, Result

_DIGEST_SIZE = 8


@dataclass(frozen=True, slots=True)
class InvalidCursor:
    """The text is not a cursor of this listing."""

    listing: str

    def __str__(self) -> str:
        return f"this is not a cursor of the listing {self.listing}"


def encode_cursor(listing: str, *key: str) -> str:
    """Return the cursor for the key of a page's last row. `listing` names the listing including its filters."""
    content = json.dumps(key, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(listing, content) + content).rstrip(b"=").decode()


def decode_cursor(listing: str, cursor: str, length: int) -> Result[tuple[str, ...], InvalidCursor]:
    """Return the key, of `length` parts, that a cursor of this listing encodes.

    The digest detects cursors of other listings, and truncated or mistyped ones. It is not a signature: a forged key only skips rows, which
    its owner is allowed to do.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        digest, content = raw[:_DIGEST_SIZE], raw[_DIGEST_SIZE:]
        key = tuple(json.loads(content)) if digest == _digest(listing, content) else ()
    except (binascii.Error, ValueError):
        key = ()
    return Ok(key) if len(key) == length else Err(InvalidCursor(listing))


def _digest(listing: str, content: bytes) -> bytes:
    return hashlib.blake2b(listing.encode() + b"\0" + content, digest_size=_DIGEST_SIZE).digest()
