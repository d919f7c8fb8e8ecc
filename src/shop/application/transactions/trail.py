"""Entries of the audit log in a transaction of their own, which remain when nothing else is committed."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from shop.application.context import CURRENT_TRACE, Context
from shop.application.outages import SETTLED, Outage
from shop.application.transactions.audit import AuditEntry, AuditOutcome
from shop.application.transactions.failures import CommitOutcomeUnknown, StoreLost, TransactionConflict, Unavailable
from shop.application.transactions.unit_of_work import BeginUnitOfWork
from shop.domain.result import Err, Ok, Result

_log = logging.getLogger("shop.transactions")

# Seconds: who waits for the entry has already waited for what failed.
_PATIENCE = 2.0


class Trail(Protocol):
    """Records what happens outside the transaction of a use case."""

    async def record(
        self, context: Context, action: str, subject: str, outcome: AuditOutcome, **metadata: str
    ) -> Result[None, Unavailable]:
        """Append an entry to the audit log, and commit it. It may have been committed also where it is unavailable."""
        ...


class AuditTrail:
    """`Trail` in units of work."""

    def __init__(self, begin: BeginUnitOfWork[object]) -> None:
        self._begin = begin
        self._outage = Outage(_log, "the audit log cannot be written", "the audit log is written again", settled=SETTLED)

    async def record(
        self, context: Context, action: str, subject: str, outcome: AuditOutcome, **metadata: str
    ) -> Result[None, Unavailable]:
        """Append an entry to the audit log, and commit it. It may have been committed also where it is unavailable."""
        token = CURRENT_TRACE.set(context.trace_id)
        try:
            async with asyncio.timeout(_PATIENCE), self._begin() as uow:
                await uow.audit.append(AuditEntry(context, action, subject, outcome, metadata))
                await uow.commit()
        except (StoreLost, TransactionConflict, CommitOutcomeUnknown, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            self._outage.begin(reason)
            return Err(Unavailable(f"{action} cannot be recorded in the audit log: {reason}"))
        finally:
            CURRENT_TRACE.reset(token)
        self._outage.end()
        return Ok(None)
