"""`shop audit`."""

from __future__ import annotations

from typing import Annotated

import typer

from shop.cli.running import CursorOption, SizeOption, session


def audit(
    context: typer.Context,
    subject: Annotated[str | None, typer.Argument(help="Subject, as in order:<id> or user:<id>; by default all.")] = None,
    size: SizeOption = 20,
    cursor: CursorOption = None,
) -> None:
    """List the entries of the audit log, newest first."""
    here = session(context)
    page = here.value(here.run(lambda shop: here.reads(shop).audit_entries(subject, size, cursor)))
    rows = [item.model_dump(mode="json") for item in page.items]
    here.output.listing(rows, columns=["at", "actor", "action", "subject", "outcome", "metadata"], cursor=page.next_cursor)
