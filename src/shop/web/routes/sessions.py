"""Sessions."""

from __future__ import annotations

from starlette.responses import Response

from shop.application.commands.sessions import Tokens
from shop.domain.values import EmailAddress
from shop.web.documents import NO_CONTENT
from shop.web.models import Credentials, RefreshToken, SessionTokens, VerificationKey, VerificationKeys
from shop.web.problems import Problem, documented
from shop.web.replies import Reply
from shop.web.requests import Anyone, LoggedIn, Service, value
from shop.web.routing import router_of

router = router_of("sessions")


@router.post(
    "/sessions",
    status_code=201,
    response_model=SessionTokens,
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
    """Log in. There is no `Idempotency-Key`: the tokens would have to be stored."""
    email = value(EmailAddress.parse(body.email))
    return _shown(value(await caller.shop.sessions.log_in(caller.context, email, body.password.get_secret_value())), 201)


@router.post(
    "/sessions/refresh",
    response_model=SessionTokens,
    responses=documented(Problem.SESSION_ENDED, Problem.SESSIONS_UNAVAILABLE, login=False, write=True, body=True),
)
async def refresh_session(caller: Anyone, body: RefreshToken) -> Response:
    """Continue a session: get new tokens for its refresh token, which is then used up. A token that was used before ends its session."""
    return _shown(value(await caller.shop.sessions.refresh(caller.context, body.refresh_token.get_secret_value())), 200)


@router.delete(
    "/sessions/current",
    status_code=204,
    responses={**documented(Problem.SESSION_NOT_FOUND, Problem.SESSIONS_UNAVAILABLE, write=True), 204: NO_CONTENT},
)
async def log_out(caller: LoggedIn) -> Response:
    """Log out: end the session of this request."""
    user_id = caller.context.actor.user_id
    assert user_id is not None  # noqa: S101 who is logged in is a user
    value(await caller.shop.sessions.end(caller.context, user_id, caller.session_id))
    return Reply(204).response()


@router.get("/.well-known/jwks.json", response_model=VerificationKeys, responses=documented(login=False))
async def list_keys(shop: Service) -> VerificationKeys:
    """List the keys that verify access tokens, for other services."""
    return VerificationKeys(keys=[VerificationKey.model_validate(each) for each in shop.sessions.published_keys()])


def _shown(tokens: Tokens, status: int) -> Response:
    return Reply.of(SessionTokens.of(tokens), status).response({"Cache-Control": "no-store"})
