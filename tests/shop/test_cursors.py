"""Cursors are opaque, and valid only for their own listing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.application.reads.cursors import InvalidCursor, decode_cursor, encode_cursor
from shop.domain.result import Err, Ok


@given(st.text(), st.tuples(st.text(), st.text()))
def test_a_cursor_decodes_to_its_key(listing: str, key: tuple[str, str]) -> None:
    assert decode_cursor(listing, encode_cursor(listing, *key), 2) == Ok(key)


@given(st.text(), st.text())
def test_a_cursor_of_another_listing_is_refused(listing: str, other: str) -> None:
    expected = Ok(("a", "b")) if listing == other else Err(InvalidCursor(other))
    assert decode_cursor(other, encode_cursor(listing, "a", "b"), 2) == expected


@pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", encode_cursor("users", "a", "b")[:-1], encode_cursor("users", "a")])
def test_text_that_is_not_a_cursor_is_refused(cursor: str) -> None:
    assert decode_cursor("users", cursor, 2) == Err(InvalidCursor("users"))
