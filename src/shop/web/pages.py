"""The parameters of listings."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator

_NUMBER = re.compile(r"-?[0-9]{1,18}")


def _is_number(text: object) -> object:
    # Python also reads 1_0 and +1, which the description does not have.
    if isinstance(text, str) and _NUMBER.fullmatch(text) is None:
        raise ValueError("is not an integer")
    return text


Integer = Annotated[int, BeforeValidator(_is_number)]
"""An integer in a query."""
Size = Annotated[Integer, Query(ge=1, le=1000, description="Items on a page.")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next_cursor` or `previous_cursor` of another page.")]
