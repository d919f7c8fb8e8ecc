"""Cursors are opaque, and valid only for their own listing and under one of the keys."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.application.reads.cursors import Cursors, InvalidCursor
from shop.domain.result import Err, Ok

OLD, NEW = b"an old key of enough bytes", b"a new key of enough bytes"
KINDS = {"unsigned": Cursors(), "signed": Cursors(NEW, OLD)}
kinds = pytest.mark.parametrize("cursors", KINDS.values(), ids=KINDS)


@kinds
@given(listing=st.text(), key=st.tuples(st.text(), st.text()))
def test_a_cursor_decodes_to_its_key(cursors: Cursors, listing: str, key: tuple[str, str]) -> None:
    assert cursors.decode(listing, cursors.encode(listing, *key), 2) == Ok(key)


@kinds
@given(listing=st.text(), other=st.text())
def test_a_cursor_of_another_listing_is_refused(cursors: Cursors, listing: str, other: str) -> None:
    expected = Ok(("a", "b")) if listing == other else Err(InvalidCursor(other))
    assert cursors.decode(other, cursors.encode(listing, "a", "b"), 2) == expected


@kinds
def test_text_that_is_not_a_cursor_is_refused(cursors: Cursors) -> None:
    ours = cursors.encode("users", "a", "b")
    for text in ("", "x", "é", "AAAA", ours[:-1], cursors.encode("users", "a"), ours.swapcase()):
        assert cursors.decode("users", text, 2) == Err(InvalidCursor("users"))


def test_keys_are_rotated_and_what_none_of_them_signed_is_refused() -> None:
    before, during, after = Cursors(OLD), Cursors(NEW, OLD), Cursors(NEW)
    old = before.encode("users", "a", "b")
    assert during.decode("users", old, 2) == after.decode("users", during.encode("users", "a", "b"), 2) == Ok(("a", "b"))
    for stranger in (old, Cursors().encode("users", "a", "b"), Cursors(OLD + b"?").encode("users", "a", "b")):
        assert after.decode("users", stranger, 2) == Err(InvalidCursor("users"))
    # Its own mark with another row.
    mark = base64.urlsafe_b64decode(f"{after.encode('users', 'a', 'b')}==")[:16]
    forged = base64.urlsafe_b64encode(mark + json.dumps(["a", "c"], separators=(",", ":")).encode()).rstrip(b"=").decode()
    assert after.decode("users", forged, 2) == Err(InvalidCursor("users"))
