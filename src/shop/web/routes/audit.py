"""The audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from shop.application.reads.models import AuditRecord, Page
from shop.web.models import Text
from shop.web.pages import Cursor, Size
from shop.web.problems import Problem, documented
from shop.web.requests import LoggedIn, value
from shop.web.routing import router_of

router = router_of("audit", "/audit")


@router.get("", response_model=Page[AuditRecord], responses=documented(Problem.INVALID_CURSOR, Problem.INVALID_VALUE))
async def list_audit_entries(
    caller: LoggedIn,
    subject: Annotated[
        Text | None,
        Query(description="A subject: `user:<id>`, `order:<id>`, `message:<id>`, `login:<digest>` or another of the log; by default all."),
    ] = None,
    size: Size = 20,
    cursor: Cursor = None,
) -> Page[AuditRecord]:
    """List the entries of the audit log, newest first."""
    return value(await caller.reads.audit_entries(subject, size, cursor))
