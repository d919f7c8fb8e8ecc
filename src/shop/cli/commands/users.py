"""`shop users`."""

from __future__ import annotations

import sys
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shop.application.reads.searches import UserFilter, UserSort
from shop.cli.output import ExitCode, Problem
from shop.cli.running import CursorOption, Session, SizeOption, UserArgument, in_utc, session
from shop.domain.result import Err, Ok, Result
from shop.domain.users import Kept, Profile, ProfileChange, Role, User
from shop.domain.values import EmailAddress, Password, PersonName, PhoneNumber, UserId

if TYPE_CHECKING:
    from shop.application.commands.users import ProfileError
    from shop.application.transactions.failures import Failure
    from shop.bootstrap.service import Shop

app = typer.Typer(no_args_is_help=True, help="Users.")

_ENTRIES = 10
_SHOWN_OF_ENTRY = {"at", "actor", "action", "origin", "outcome", "metadata"}

StdinOption = Annotated[bool, typer.Option("--password-stdin", help="Read passwords from stdin, one per line, instead of prompting.")]


@app.command()
def register(
    context: typer.Context,
    first: Annotated[str, typer.Option(help="Given name.")],
    last: Annotated[str, typer.Option(help="Family name.")],
    email: Annotated[str, typer.Option(help="E-mail address.")],
    phone: Annotated[str | None, typer.Option(help="Phone number.")] = None,
    password_stdin: StdinOption = False,
) -> None:
    """Register a user."""
    here = session(context)
    profile = _profile(here, first, last, email, phone)
    password = here.value(Password.parse(_ask(here, "Password", is_stdin=password_stdin, confirm=True)))
    user = here.value(here.run(lambda shop: shop.users.register(here.context, profile, password)))
    here.output.record(_shown(user))


@app.command()
def login(
    context: typer.Context, email: Annotated[str, typer.Argument(help="E-mail address.")], password_stdin: StdinOption = False
) -> None:
    """Check the credentials of a user."""
    here = session(context)
    address = here.value(EmailAddress.parse(email))
    password = _ask(here, "Password", is_stdin=password_stdin)
    here.output.record(_shown(here.value(here.run(lambda shop: shop.users.authenticate(here.context, address, password)))))


@app.command()
def update(
    context: typer.Context,
    user: UserArgument,
    first: Annotated[str | None, typer.Option(help="Given name.")] = None,
    last: Annotated[str | None, typer.Option(help="Family name.")] = None,
    email: Annotated[str | None, typer.Option(help="E-mail address.")] = None,
    phone: Annotated[str | None, typer.Option(help="Phone number.")] = None,
    no_phone: Annotated[bool, typer.Option("--no-phone", help="Remove the phone number.")] = False,
    version: Annotated[int | None, typer.Option(min=1, help="Only if this is the current version of the user.")] = None,
) -> None:
    """Change a user's profile. Options that are not given leave their values unchanged."""
    here = session(context)
    if phone is not None and no_phone:
        raise typer.BadParameter("--phone and --no-phone exclude each other")
    if (first, last, email, phone, no_phone) == (None, None, None, None, False):
        raise typer.BadParameter("nothing to change; --help lists the options")

    change = here.value(ProfileChange.parse(first, last, email, None if no_phone else Kept.KEPT if phone is None else phone))

    async def work(shop: Shop) -> Result[User, ProfileError | Failure]:
        return await shop.users.update_profile(here.context, UserId(user), change, versions=None if version is None else {version})

    here.output.record(_shown(here.value(here.run(work))))


@app.command()
def password(context: typer.Context, user: UserArgument, password_stdin: StdinOption = False) -> None:
    """Change a user's password."""
    here = session(context)
    old = _ask(here, "Old password", is_stdin=password_stdin)
    new = here.value(Password.parse(_ask(here, "New password", is_stdin=password_stdin, confirm=True)))
    here.value(here.run(lambda shop: shop.users.change_password(here.context, UserId(user), old, new)))
    here.output.record({"id": user, "password": "changed"})


@app.command()
def delete(context: typer.Context, user: UserArgument) -> None:
    """Delete a user who has no orders."""
    here = session(context)

    async def work(shop: Shop) -> bool:
        here.value(await shop.users.delete(here.context, UserId(user)))
        here.done = lambda: {"id": user, "deleted": True, "traces_left": True}
        return await _erase_rest(here, shop, user)

    here.output.record({"id": user, "deleted": True, "traces_left": not here.run(work)})


@app.command()
def erase(context: typer.Context, user: UserArgument) -> None:
    """Erase the personal data of a user, whose orders are kept."""
    here = session(context)

    async def work(shop: Shop) -> bool:
        here.value(await shop.users.erase(here.context, UserId(user)))
        here.done = lambda: {"id": user, "erased": True, "traces_left": True}
        return await _erase_rest(here, shop, user)

    here.output.record({"id": user, "erased": True, "traces_left": not here.run(work)})


@app.command()
def show(context: typer.Context, user: UserArgument) -> None:
    """Show everything about a user: the data, the role, open sessions, totals of orders, and the latest entries of the audit log."""
    here, user_id = session(context), UserId(user)

    async def work(shop: Shop) -> dict[str, Any]:
        reads = here.reads(shop)
        # First, so that the entries of this command are not among them.
        entries = here.value(await reads.audit_entries(f"user:{user_id}", _ENTRIES, None))
        found = here.value(await reads.user(user_id))
        orders = here.value(await reads.order_summary(user_id))
        return {
            **found.model_dump(mode="json"),
            "orders": sum(each.orders for each in orders.totals),
            "order_totals": [{**each.model_dump(mode="json"), "spent": str(each.spent)} for each in orders.totals],
            **await _open_sessions(here, shop, user_id),
            "audit": [entry.model_dump(mode="json", include=_SHOWN_OF_ENTRY) for entry in entries.items],
        }

    here.output.record(here.run(work))


@app.command()
def profile(context: typer.Context, user: UserArgument) -> None:
    """Show the public profile of a user."""
    here = session(context)
    here.output.record(here.value(here.run(lambda shop: shop.reads.public_profile(UserId(user)))).model_dump(mode="json"))


@app.command()
def find(
    context: typer.Context,
    part: Annotated[str | None, typer.Option(help='Part of "first last address", in any case.')] = None,
    last: Annotated[str | None, typer.Option(help="How the family name begins.")] = None,
    email: Annotated[str | None, typer.Option(help="How the e-mail address begins.")] = None,
    role: Annotated[list[Role] | None, typer.Option(help="Users with this role; repeat for others.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Users registered at this time (UTC) or later.")] = None,
    before: Annotated[datetime | None, typer.Option(help="Users registered before this time (UTC).")] = None,
    order: Annotated[UserSort, typer.Option(help="Who comes first.")] = "oldest",
    size: SizeOption = 20,
    cursor: CursorOption = None,
) -> None:
    """Find users. Filters that are not given do not apply."""
    here = session(context)
    _found(here, UserFilter(part, last, email, tuple(role or ()), in_utc(since), in_utc(before)), order, size, cursor)


@app.command("list")
def list_users(context: typer.Context, size: SizeOption = 20, cursor: CursorOption = None) -> None:
    """List users by registration."""
    here = session(context)
    page = here.value(here.run(lambda shop: here.reads(shop).users(size, cursor)))
    rows = [item.model_dump(mode="json") for item in page.items]
    here.output.listing(rows, columns=["id", "first_name", "last_name", "email", "created_at"], cursor=page.next_cursor)


@app.command()
def search(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help='Part of "first last address", in any case.')],
    size: SizeOption = 20,
    cursor: CursorOption = None,
) -> None:
    """Find users by a part of the name or the address, oldest first. `find --part` is the same with other filters."""
    here = session(context)
    _found(here, UserFilter(part=text), "oldest", size, cursor)


@app.command()
def count(context: typer.Context) -> None:
    """Count the users."""
    here = session(context)
    here.output.record({"users": here.value(here.run(lambda shop: shop.reads.count_users()))})


def _found(here: Session, wanted: UserFilter, order: UserSort, size: int, cursor: str | None) -> None:
    page = here.value(here.run(lambda shop: here.reads(shop).find_users(wanted, order, size, cursor)))
    rows = [item.model_dump(mode="json") for item in page.items]
    columns = ["id", "first_name", "last_name", "email", "role", "created_at"]
    here.output.pages(rows, columns=columns, following=page.next_cursor, preceding=page.previous_cursor)


async def _erase_rest(here: Session, shop: Shop, user: uuid.UUID) -> bool:
    """Erase the traces that were too many to be erased together with the user, and return whether none is left."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} traces more"))
    with Progress(*columns, console=Console(stderr=True), disable=here.output.is_json, transient=True) as progress:
        task = progress.add_task("traces", total=None)
        is_all = await shop.pruning.erase_rest(here.context, UserId(user), lambda count: progress.advance(task, count))
    if not is_all:
        here.output.note("traces of the user are left, and will be erased by: shop prune")
    return is_all


def _profile(here: Session, first: str, last: str, email: str, phone: str | None) -> Profile:
    number = None if phone is None else here.value(PhoneNumber.parse(phone))
    return Profile(here.value(PersonName.parse(first, last)), here.value(EmailAddress.parse(email)), number)


async def _open_sessions(here: Session, shop: Shop, user_id: UserId) -> dict[str, Any]:
    from shop.application.commands.sessions import SessionsUnavailable

    if not shop.has_shared_sessions:
        return {"sessions": None, "sessions_are_unknown": "redis_url is not set, so they are in the memory of each server"}
    match await shop.sessions.sessions(here.context, user_id):
        case Ok(found):
            return {
                "sessions": [{"id": each.id, "origin": each.origin, "opened_at": each.opened_at, "ends_at": each.ends_at} for each in found]
            }
        case Err(SessionsUnavailable() as lost):
            # All else is known, and Redis may be what is looked into.
            return {"sessions": None, "sessions_are_unknown": lost.reason}
        case Err() as failed:
            return here.value(failed)


def _ask(here: Session, label: str, *, is_stdin: bool, confirm: bool = False) -> str:
    if is_stdin:
        if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] it may be closed
            raise _misused(here, "stdin is closed")
        try:
            line = sys.stdin.readline()
        except UnicodeDecodeError:
            raise _misused(here, "stdin is not UTF-8") from None
        if not line:
            raise _misused(here, f"stdin ended before the {label.lower()}")
        return line.rstrip("\n")
    try:
        # To stderr: stdout is for the result.
        asked: str = typer.prompt(label, hide_input=True, confirmation_prompt=confirm, err=True)
    except typer.Abort:
        raise _misused(here, f"no {label.lower()} was entered") from None
    return asked


def _misused(here: Session, detail: str) -> typer.Exit:
    return here.failed(Problem("usage", "Usage", 400, detail, ExitCode.USAGE))


def _shown(user: User) -> dict[str, Any]:
    profile = user.profile
    return {
        "id": user.id,
        "first_name": profile.name.first,
        "last_name": profile.name.last,
        "email": profile.email,
        "phone": profile.phone,
        "created_at": user.created_at.isoformat(),
        "updated_at": user.updated_at.isoformat(),
        "version": user.version,
    }
