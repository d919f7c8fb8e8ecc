"""Cursors: where a page of a listing starts, opaque to whoever carries it from page to page."""

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
    """Not a cursor that this listing gave."""

    listing: str

    def __str__(self) -> str:
        return f"this is not a cursor of the listing {self.listing}"


def encode_cursor(listing: str, *key: str) -> str:
    """Make a cursor of the last row's key. `listing` names what is listed, with all that it is filtered by."""
    content = json.dumps(key, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(listing, content) + content).rstrip(b"=").decode()


def decode_cursor(listing: str, cursor: str, length: int) -> Result[tuple[str, ...], InvalidCursor]:
    """Give the key, of so many parts, that a cursor of this listing was made of.

    The digest finds a cursor of another listing, and one that was cut off or mistyped. It is no signature: a forged key skips rows, which
    is nothing that its owner may not do.
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
