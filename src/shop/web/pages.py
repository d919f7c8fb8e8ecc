"""The parameters of listings."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Query
from pydantic import BeforeValidator, Field

_NUMBER = re.compile(r"-?[0-9]{1,18}")


def _is_number(text: object) -> object:
    # Python also reads 1_0 and +1, which the description does not have.
    if isinstance(text, str) and _NUMBER.fullmatch(text) is None:
        raise ValueError("is not an integer")
    return text


NUMBER = BeforeValidator(_is_number)
"""That a parameter of a query is an integer. It comes after the bounds, which are not described otherwise."""
Size = Annotated[int, Field(ge=1, le=1000), NUMBER, Query(description="Items on a page.")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next_cursor` or `previous_cursor` of another page.")]
MAX_CHOICES: Final = 20
"""The most values of a filter that is a list."""
