"""`shop roles`."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from shop.application.reads.searches import UserFilter
from shop.cli.running import CursorOption, Session, SizeOption, UserArgument, session
from shop.domain.users import Role
from shop.domain.values import UserId

app = typer.Typer(no_args_is_help=True, help="Roles of users: what they may do over HTTP.")

_ABOVE_CUSTOMER = tuple(role for role in Role if role is not Role.CUSTOMER)


@app.command()
def grant(context: typer.Context, user: UserArgument, role: Annotated[Role, typer.Argument(help="The role.")]) -> None:
    """Set a user's role, from the user's next request on."""
    _set(session(context), user, role)


@app.command()
def revoke(context: typer.Context, user: UserArgument) -> None:
    """Make a user a customer again, from the user's next request on."""
    _set(session(context), user, Role.CUSTOMER)


@app.command("list")
def list_roles(context: typer.Context, size: SizeOption = 20, cursor: CursorOption = None) -> None:
    """List the users who are more than customers."""
    here, wanted = session(context), UserFilter(roles=_ABOVE_CUSTOMER)
    page = here.value(here.run(lambda shop: here.reads(shop).find_users(wanted, "oldest", size, cursor)))
    rows = [item.model_dump(mode="json", include={"id", "role", "email"}) for item in page.items]
    here.output.pages(rows, columns=["id", "role", "email"], following=page.next_cursor, preceding=page.previous_cursor)


def _set(here: Session, user: uuid.UUID, role: Role) -> None:
    here.value(here.run(lambda shop: shop.users.grant(here.context, UserId(user), role)))
    here.output.record({"id": user, "role": role})
