"""What the operations need of a request: its caller, its precondition, and its key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from starlette.responses import Response

from shop.application.context import CURRENT_TRACE, Actor, Context, Once
from shop.application.reads.guarded import GuardedReads
from shop.application.transactions.answers import AlreadyAnswered
from shop.bootstrap.service import Shop
from shop.domain.concurrency import ChangedMeanwhile, Versions
from shop.domain.result import Err, Ok, Result
from shop.web.problems import Problem, Refused
from shop.web.replies import Reply

T = TypeVar("T")

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
# RFC 9110, 8.8.3 and 5.6.1.2: a list may have empty elements.
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_TAGS = re.compile(rf"[ \t,]*{_TAG.pattern}(?:[ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")
_VERSION = re.compile(r'"([1-9][0-9]{0,8})"')


def value(result: Result[T, object]) -> T:
    """Return the value, or refuse the request with the error."""
    match result:
        case Ok(found):
            return found
        case Err(error):
            raise Refused.by(error)


# All dependencies are coroutines: FastAPI calls functions in threads, which costs more than what these do.
async def _shop(request: Request) -> Shop:
    shop: Shop = request.app.state.shop
    return shop


Service = Annotated[Shop, Depends(_shop)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request. `session_id` is empty without a session."""

    request: Request
    shop: Shop
    context: Context
    session_id: str

    @property
    def reads(self) -> GuardedReads:
        """The queries as the caller may ask them."""
        return GuardedReads(self.shop.reads, self.shop.trail, self.context)

    async def perform(
        self,
        use_case: Callable[[Context], Awaitable[Result[T, object]]],
        reply: Callable[[T], Reply],
        *,
        key: str | None = None,
        body: BaseModel | None = None,
        is_conditional: bool = False,
    ) -> Response:
        """Run a use case and send its reply: under a key the stored one, if the request was carried out before."""
        once = None if key is None else Once(key, self._fingerprint(body), lambda done: reply(done).encoded())
        match await use_case(replace(self.context, once=once)):
            case Ok(done):
                return reply(done).response()
            case Err(AlreadyAnswered(answer)):
                return Reply.decoded(answer).response({"Idempotency-Replayed": "true"})
            case Err(ChangedMeanwhile() as changed) if is_conditional:
                raise Refused(Problem.PRECONDITION_FAILED, str(changed))
            case Err(error):
                raise Refused.by(error)

    def _fingerprint(self, body: BaseModel | None) -> bytes:
        # Dumped by pydantic, which masks secrets: a digest of a password must not be stored.
        content = [self.request.method, self.request.url.path, None if body is None else body.model_dump(mode="json", exclude_unset=True)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()


def _origin(request: Request) -> str:
    """Return the address and the client's own name, as far as it is printable: the log is read by people."""
    client = _UNPRINTABLE.sub("?", request.headers.get("user-agent", ""))
    return f"http {'local' if request.client is None else request.client.host} {client}".rstrip()[:100]


async def _anyone(request: Request, shop: Service) -> Caller:
    return Caller(request, shop, Context(Actor.anonymous(), _origin(request), CURRENT_TRACE.get()), "")


_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="The access token of a session, from `POST /sessions`.")


async def _logged_in(
    request: Request, shop: Service, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    if credentials is None:
        raise Refused(Problem.UNAUTHENTICATED, "a bearer token is required")
    claims = await shop.sessions.identify(credentials.credentials)
    # Looked up on each request: a role that is revoked, a user who is deleted and sessions that have all ended lose their rights at once.
    standing = None if claims is None else value(await shop.reads.standing(claims.user_id))
    if claims is None or standing is None or standing.session_generation != claims.generation:
        raise Refused(Problem.UNAUTHENTICATED, "the access token is not valid, or its session has ended")
    return Caller(
        request, shop, Context(Actor.user(claims.user_id, standing.role), _origin(request), CURRENT_TRACE.get()), claims.session_id
    )


Anyone = Annotated[Caller, Depends(_anyone)]
LoggedIn = Annotated[Caller, Depends(_logged_in)]

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="Carry out the request once, however often it is sent under this key; a repeated one gets the same reply.",
    ),
]


async def _versions_if_given(
    request: Request,
    if_match: Annotated[
        str | None,
        Header(description="The ETag of the version to change, or a list of them, or `*`.", json_schema_extra={"example": '"1"'}),
    ] = None,
) -> Versions:
    # Several lines are one list.
    tags = None if if_match is None else ", ".join(request.headers.getlist("if-match"))
    if tags is None or tags == "*":
        return None
    # Weak tags never match (RFC 9110, 13.1.1).
    found = _TAG.findall(tags) if _TAGS.fullmatch(tags) is not None else ()
    return frozenset(int(version[1]) for tag in found if (version := _VERSION.fullmatch(tag)) is not None)


async def _versions(if_match: Annotated[Versions, Depends(_versions_if_given)], request: Request) -> Versions:
    if "if-match" not in request.headers:
        raise Refused(Problem.PRECONDITION_REQUIRED, "If-Match is required, with the ETag of what is to be changed")
    return if_match


async def _known(
    request: Request,
    _: Annotated[
        str | None,
        Header(alias="If-None-Match", description="ETags of what the client has, or `*`.", json_schema_extra={"example": '"1"'}),
    ] = None,
) -> str:
    return ", ".join(request.headers.getlist("if-none-match"))


def unless_known(known: str, reply: Reply) -> Response:
    """Return the response with a representation, or without its content where the client has it (RFC 9110, 13.1.2)."""
    tag = reply.headers["ETag"]
    # Weak comparison: what follows W/ counts.
    found = _TAG.findall(known) if _TAGS.fullmatch(known) is not None else ()
    if known == "*" or tag in (each.removeprefix("W/") for each in found):
        return Response(status_code=304, headers=reply.headers)
    return reply.response()


Known = Annotated[str, Depends(_known)]
"""`If-None-Match`; empty if it is not sent."""
MatchedIfGiven = Annotated[Versions, Depends(_versions_if_given)]
Matched = Annotated[Versions, Depends(_versions)]
"""The versions of `If-Match`, which is required; None for any."""
