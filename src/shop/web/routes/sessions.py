"""Sessions."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shop.domain.values import EmailAddress
from shop.web.documents import NO_CONTENT
from shop.web.models import Credentials, Session
from shop.web.problems import Problem, documented
from shop.web.replies import Reply
from shop.web.requests import Anyone, LoggedIn, value

router = APIRouter(prefix="/sessions", tags=["sessions"])


@router.post(
    "",
    status_code=201,
    response_model=Session,
    responses=documented(
        Problem.WRONG_CREDENTIALS,
        Problem.TOO_MANY_ATTEMPTS,
        Problem.INVALID_VALUE,
        Problem.SESSIONS_UNAVAILABLE,
        login=False,
        write=True,
        body=True,
    ),
)
async def log_in(caller: Anyone, body: Credentials) -> Response:
    """Log in. There is no `Idempotency-Key`: the token would have to be stored."""
    email = value(EmailAddress.parse(body.email))
    opened = value(await caller.shop.sessions.log_in(caller.context, email, body.password.get_secret_value()))
    return Reply.of(Session.of(opened), 201).response({"Cache-Control": "no-store"})


@router.delete("/current", status_code=204, responses={**documented(), 204: NO_CONTENT})
async def log_out(caller: LoggedIn) -> Response:
    """Log out: end the session of this request."""
    value(await caller.shop.sessions.log_out(caller.token))
    return Reply(204).response()
