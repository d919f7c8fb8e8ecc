"""Sales."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import Field

from shop.web.models import SalesOfDays
from shop.web.pages import NUMBER
from shop.web.problems import documented
from shop.web.requests import LoggedIn, value
from shop.web.routing import router_of

router = router_of("sales", "/sales")


@router.get("", response_model=SalesOfDays, responses=documented())
async def list_sales(
    caller: LoggedIn, days: Annotated[int, Field(ge=1, le=3650), NUMBER, Query(description="Days before today, in UTC.")] = 30
) -> SalesOfDays:
    """List the sales of each day, newest first, as far as the consumer `sales` has handled events."""
    since = datetime.now(UTC).date() - timedelta(days=days)
    return SalesOfDays(items=value(await caller.reads.daily_sales(since)))
