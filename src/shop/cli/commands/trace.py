"""`shop trace`."""

from __future__ import annotations

import re
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shop.cli.output import ExitCode, Problem
from shop.cli.running import Session, parse_uuid, session
from shop.domain.values import OrderId

if TYPE_CHECKING:
    from shop.bootstrap.service import Shop

# An order's id is written with hyphens.
_TRACE = re.compile(r"[0-9a-fA-F]{32}")
_ENTRIES = 1000


def trace(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(metavar="ORDER|TRACE", help="Id of an order, or of a trace, as in X-Request-Id.")],
) -> None:
    """Show what happened in a trace, or in all traces of an order: from the request to its effects in other processes."""
    from shop.bootstrap.observability import read_spans
    from shop.cli.spans import span_tree

    here = session(context)
    file = Path(here.settings().settings.trace_file)
    trace_ids = [subject.lower()] if _TRACE.fullmatch(subject) else _traces_of(here, parse_uuid(subject))
    try:
        spans = read_spans(file, trace_ids)
    except OSError as error:
        raise here.failed(Problem("settings", "Settings", 500, f"trace_file: {file}: {error.strerror}", ExitCode.SETTINGS)) from error
    if not spans:
        detail = f"{file} has no spans of {subject}; processes write them with SHOP_TRACING=file and the same SHOP_TRACE_FILE"
        raise here.failed(Problem("no-spans", "No spans", 404, detail, ExitCode.REFUSED))
    here.output.tree(span_tree(spans), [asdict(span) for span in spans])


def _traces_of(here: Session, order: uuid.UUID) -> list[str]:
    """Return the traces of an order, by the audit log."""

    async def work(shop: Shop) -> list[str]:
        reads = here.reads(shop)
        entries = here.value(await reads.audit_entries(f"order:{order}", _ENTRIES, None))
        here.value(await reads.order(OrderId(order)))
        return list(dict.fromkeys(entry.trace_id for entry in entries.items))

    return here.run(work)
