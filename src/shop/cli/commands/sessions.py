"""`shop sessions`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from shop.cli.running import UserArgument, no_shared_sessions, session
from shop.domain.values import UserId

if TYPE_CHECKING:
    from shop.application.commands.session_store import Session as UserSession
    from shop.bootstrap.service import Shop

app = typer.Typer(no_args_is_help=True, help="Users' HTTP sessions.")


@app.command("list")
def list_sessions(context: typer.Context, user: UserArgument) -> None:
    """List the open sessions of a user, the latest first."""
    here = session(context)

    async def work(shop: Shop) -> Sequence[UserSession]:
        if not shop.has_shared_sessions:
            raise no_shared_sessions(here)
        return here.value(await shop.sessions.sessions(here.context, UserId(user)))

    rows = [
        {
            "id": each.id,
            "origin": each.origin,
            "opened_at": each.opened_at.isoformat(),
            "refreshed_at": each.refreshed_at.isoformat(),
            "ends_at": each.ends_at.isoformat(),
        }
        for each in here.run(work)
    ]
    here.output.listing(rows, columns=["id", "origin", "opened_at", "refreshed_at", "ends_at"])


@app.command()
def end(
    context: typer.Context,
    user: UserArgument,
    session_id: Annotated[str | None, typer.Argument(metavar="SESSION", help="Id of a session; by default all of them.")] = None,
) -> None:
    """End a session of a user, or all of them, which works without Redis: log the user out everywhere."""
    here = session(context)

    async def work(shop: Shop) -> None:
        if session_id is None:
            here.value(await shop.sessions.end_all(here.context, UserId(user)))
            return
        if not shop.has_shared_sessions:
            raise no_shared_sessions(here)
        here.value(await shop.sessions.end(here.context, UserId(user), session_id))

    here.run(work)
    here.output.record({"id": user, "ended": session_id or "all"})
