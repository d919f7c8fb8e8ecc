"""`shop database`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from shop.cli.running import session

app = typer.Typer(no_args_is_help=True, help="Administration of the database. DATABASE_URL is that of the owner of the tables.")


# PostgreSQL cuts off longer names.
_NAME_BYTES = 63
# They stand for all roles, and for none.
_NO_ROLES = ("public", "none")


def _role(text: str) -> str:
    if not 0 < len(text.encode()) <= _NAME_BYTES:
        raise typer.BadParameter(f"the name of a role has 1 to {_NAME_BYTES} bytes")
    if text.startswith("pg_") or text in _NO_ROLES:
        raise typer.BadParameter(
            f"{text} is a name of PostgreSQL's own, and what it is given, others would have, too; "
            "name the role that the service logs in with, or a group of such roles"
        )
    return text


@app.command()
def grant(
    context: typer.Context, role: Annotated[str, typer.Argument(parser=_role, metavar="ROLE", help="The role.")] = "shop_service"
) -> None:
    """Let a role have exactly the rights that the service needs; a role that does not exist is created as a group, without a login."""
    from shop.bootstrap.administration import grant_to

    here = session(context)
    created = here.administer(lambda settings: grant_to(settings, role))
    here.output.record({"role": role, "created": created})


@app.command()
def maintain(context: typer.Context) -> None:
    """Create the audit log's partitions of this month and the next ones, and drop those that ended audit_retention_months ago."""
    from shop.bootstrap.administration import maintain_audit_log

    here = session(context)
    here.output.record(asdict(here.administer(lambda settings: maintain_audit_log(settings, here.context))))
