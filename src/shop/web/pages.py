"""The parameters of listings."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

Size = Annotated[int, Query(ge=1, le=1000, description="Items on a page.")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next_cursor` or `previous_cursor` of another page.")]
