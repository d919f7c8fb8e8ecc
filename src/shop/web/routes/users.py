"""Users."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path as InPath
from fastapi import Query
from starlette.responses import Response

from shop.application.reads.models import OrderSummary, Page, PublicProfile, UserOrderSummary, UserSummary
from shop.application.reads.searches import UserFilter, UserSort
from shop.domain.users import Role, User
from shop.domain.values import UserId
from shop.web.documents import ETAG, NO_CONTENT, SHOWN, created
from shop.web.models import Instant, OpenSession, OpenSessions, PasswordChange, ProfilePatch, Registration, RoleChange, Text
from shop.web.pages import MAX_CHOICES, Cursor, Size
from shop.web.problems import Problem, documented
from shop.web.replies import Reply
from shop.web.requests import Anyone, Key, Known, LoggedIn, Matched, MatchedIfGiven, unless_known, value
from shop.web.routing import router_of

router = router_of("users", "/users")

SessionId = Annotated[str, InPath(pattern=r"^[0-9a-f]{32}$")]


@router.post(
    "",
    status_code=201,
    response_model=UserSummary,
    responses={
        **documented(Problem.EMAIL_TAKEN, Problem.INVALID_VALUE, Problem.TOO_MANY_ATTEMPTS, login=False, write=True, body=True, key=True),
        201: created("user_id", "show_user", "update_user", "delete_user", "erase_user", "list_orders_of_user", "grant_role"),
    },
)
async def register_user(caller: Anyone, body: Registration, idempotency_key: Key = None) -> Response:
    """Register a user."""
    profile, password = body.profile(), body.new_password()
    return await caller.perform(
        lambda context: caller.shop.limited_users.register(context, profile, password),
        lambda user: Reply.of(UserSummary.of(user), 201, version=user.version, location=f"/users/{user.id}"),
        key=idempotency_key,
        body=body,
    )


@router.get("", response_model=Page[UserSummary], responses=documented(Problem.INVALID_CURSOR))
async def find_users(
    caller: LoggedIn,
    part: Annotated[Text | None, Query(description='A part of "first last address", in any case.')] = None,
    last_name: Annotated[Text | None, Query(description="How the last name begins, in any case.")] = None,
    email: Annotated[Text | None, Query(description="How the e-mail address begins, in any case.")] = None,
    role: Annotated[tuple[Role, ...], Query(max_length=MAX_CHOICES, description="One of these roles.")] = (),
    registered_since: Annotated[Instant | None, Query(description="Registered at this time or later.")] = None,
    registered_before: Annotated[Instant | None, Query(description="Registered before this time.")] = None,
    sort: UserSort = "oldest",
    size: Size = 20,
    cursor: Cursor = None,
) -> Page[UserSummary]:
    """Find users, by registration. `next_cursor` and `previous_cursor` are cursors of the same filters and the same order."""
    wanted = UserFilter(part, last_name, email, role, registered_since, registered_before)
    return value(await caller.reads.find_users(wanted, sort, size, cursor))


@router.get("/{user_id}", response_model=UserSummary, responses={**documented(Problem.USER_NOT_FOUND), **SHOWN})
async def show_user(caller: LoggedIn, user_id: UUID, known: Known) -> Response:
    """Show a user."""
    user = value(await caller.reads.user(UserId(user_id)))
    return unless_known(known, Reply.of(user, version=user.version))


@router.patch(
    "/{user_id}",
    response_model=UserSummary,
    responses={
        **documented(
            Problem.USER_NOT_FOUND,
            Problem.EMAIL_TAKEN,
            Problem.INVALID_VALUE,
            Problem.PRECONDITION_FAILED,
            Problem.PRECONDITION_REQUIRED,
            Problem.TOO_MANY_ADDRESS_CHANGES,
            write=True,
            body=True,
            key=True,
        ),
        200: ETAG,
    },
)
async def update_user(caller: LoggedIn, user_id: UUID, body: ProfilePatch, versions: Matched, idempotency_key: Key = None) -> Response:
    """Change parts of a user's profile, if `If-Match` names the current version."""
    change = body.change()
    return await caller.perform(
        lambda context: caller.shop.users.update_profile(context, UserId(user_id), change, versions=versions),
        _shown,
        key=idempotency_key,
        body=body,
        is_conditional=True,
    )


@router.delete(
    "/{user_id}",
    status_code=204,
    responses={
        **documented(
            Problem.USER_NOT_FOUND,
            Problem.USER_HAS_ORDERS,
            Problem.PRECONDITION_FAILED,
            Problem.PRECONDITION_REQUIRED,
            write=True,
            key=True,
        ),
        204: NO_CONTENT,
    },
)
async def delete_user(caller: LoggedIn, user_id: UUID, versions: Matched, idempotency_key: Key = None) -> Response:
    """Delete a user who has no orders, if `If-Match` names the current version."""
    return await caller.perform(
        lambda context: caller.shop.users.delete(context, UserId(user_id), versions), _nothing, key=idempotency_key, is_conditional=True
    )


@router.delete(
    "/{user_id}/personal-data",
    status_code=204,
    responses={
        **documented(Problem.USER_NOT_FOUND, Problem.PRECONDITION_FAILED, Problem.PRECONDITION_REQUIRED, write=True, key=True),
        204: NO_CONTENT,
    },
)
async def erase_user(caller: LoggedIn, user_id: UUID, versions: Matched, idempotency_key: Key = None) -> Response:
    """Erase the personal data of a user, if `If-Match` names the current version. Orders are kept; otherwise this is a deletion."""
    return await caller.perform(
        lambda context: caller.shop.users.erase(context, UserId(user_id), versions), _nothing, key=idempotency_key, is_conditional=True
    )


@router.put(
    "/{user_id}/password",
    status_code=204,
    responses={
        **documented(
            Problem.USER_NOT_FOUND,
            Problem.WRONG_CREDENTIALS,
            Problem.TOO_MANY_ATTEMPTS,
            Problem.INVALID_VALUE,
            Problem.CHANGED_MEANWHILE,
            Problem.PRECONDITION_FAILED,
            write=True,
            body=True,
            key=True,
        ),
        204: NO_CONTENT,
    },
)
async def change_password(
    caller: LoggedIn, user_id: UUID, body: PasswordChange, versions: MatchedIfGiven, idempotency_key: Key = None
) -> Response:
    """Change a user's password, and end all sessions of the user."""
    new = body.new_password()
    return await caller.perform(
        lambda context: caller.shop.limited_users.change_password(context, UserId(user_id), body.old.get_secret_value(), new, versions),
        _nothing,
        key=idempotency_key,
        body=body,
        # Otherwise the version is that of the password that was verified.
        is_conditional=versions is not None,
    )


@router.put(
    "/{user_id}/role",
    status_code=204,
    responses={**documented(Problem.USER_NOT_FOUND, Problem.PRECONDITION_FAILED, write=True, body=True, key=True), 204: NO_CONTENT},
)
async def grant_role(caller: LoggedIn, user_id: UUID, body: RoleChange, versions: MatchedIfGiven, idempotency_key: Key = None) -> Response:
    """Set a user's role, from the user's next request on."""
    return await caller.perform(
        lambda context: caller.shop.users.grant(context, UserId(user_id), body.role, versions),
        _nothing,
        key=idempotency_key,
        body=body,
        is_conditional=True,
    )


@router.get("/{user_id}/profile", response_model=PublicProfile, responses=documented(Problem.USER_NOT_FOUND, login=False))
async def show_profile(caller: Anyone, user_id: UUID) -> PublicProfile:
    """Show what everybody may know of a user."""
    return value(await caller.shop.reads.public_profile(UserId(user_id)))


@router.get("/{user_id}/orders", response_model=Page[OrderSummary], responses=documented(Problem.INVALID_CURSOR))
async def list_orders_of_user(caller: LoggedIn, user_id: UUID, size: Size = 20, cursor: Cursor = None) -> Page[OrderSummary]:
    """List a user's orders, newest first."""
    return value(await caller.reads.order_history(UserId(user_id), size, cursor))


@router.get("/{user_id}/orders/totals", response_model=UserOrderSummary, responses=documented())
async def show_order_totals(caller: LoggedIn, user_id: UUID) -> UserOrderSummary:
    """Show the totals of a user's orders, by currency."""
    return value(await caller.reads.order_summary(UserId(user_id)))


@router.get("/{user_id}/sessions", response_model=OpenSessions, responses=documented(Problem.USER_NOT_FOUND, Problem.SESSIONS_UNAVAILABLE))
async def list_sessions(caller: LoggedIn, user_id: UUID) -> OpenSessions:
    """List the open sessions of a user."""
    found = value(await caller.shop.sessions.sessions(caller.context, UserId(user_id)))
    return OpenSessions(items=[OpenSession.of(each, caller.session_id) for each in found])


@router.delete("/{user_id}/sessions", status_code=204, responses={**documented(Problem.USER_NOT_FOUND, write=True), 204: NO_CONTENT})
async def log_out_everywhere(caller: LoggedIn, user_id: UUID) -> Response:
    """End all sessions of a user."""
    value(await caller.shop.sessions.end_all(caller.context, UserId(user_id)))
    return Reply(204).response()


@router.delete(
    "/{user_id}/sessions/{session_id}",
    status_code=204,
    responses={**documented(Problem.SESSION_NOT_FOUND, Problem.SESSIONS_UNAVAILABLE, write=True), 204: NO_CONTENT},
)
async def end_session(caller: LoggedIn, user_id: UUID, session_id: SessionId) -> Response:
    """End a session of a user."""
    value(await caller.shop.sessions.end(caller.context, UserId(user_id), session_id))
    return Reply(204).response()


def _shown(user: User) -> Reply:
    return Reply.of(UserSummary.of(user), version=user.version)


def _nothing(_: None) -> Reply:
    return Reply(204)
