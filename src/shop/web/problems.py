"""Problems (RFC 9457): the one table of what can go wrong, and how it is shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from shop.application.authorisation import NotAllowed
from shop.application.commands.login_attempts import TooManyAttempts
from shop.application.commands.sessions import SessionEnded, SessionNotFound, SessionsUnavailable
from shop.application.commands.users import TooManyAddressChanges, WrongCredentials
from shop.application.reads.cursors import InvalidCursor
from shop.application.transactions.answers import KeyInUse, KeyReused
from shop.application.transactions.failures import OutcomeUnknown, TooMuchContention, Unavailable
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.orders import OrderNotFound, UnacceptableOrder, WrongStatus
from shop.domain.users import EmailTaken, UserHasOrders, UserNotFound
from shop.domain.values import InvalidValue

MEDIA_TYPE: Final = "application/problem+json"

MAX_ERRORS: Final = 20
"""The most invalid parts that a problem lists, so that the answer to any request is short."""
MAX_PLACE: Final = 1000
"""The most characters of the place of an invalid part."""
MAX_REASON: Final = 300
"""The most characters of the reason why a part is invalid."""


class Problem(Enum):
    """The problems: name in the type, HTTP status, title. The names are stable; docs/http.md explains each."""

    MALFORMED_REQUEST = ("malformed-request", 400, "Malformed request")
    MALFORMED_BODY = ("malformed-body", 400, "Malformed body")
    INVALID_CURSOR = ("invalid-cursor", 400, "Invalid cursor")
    UNAUTHENTICATED = ("unauthenticated", 401, "Unauthenticated")
    WRONG_CREDENTIALS = ("wrong-credentials", 401, "Wrong credentials")
    SESSION_ENDED = ("session-ended", 401, "Session ended")
    NOT_ALLOWED = ("not-allowed", 403, "Not allowed")
    NO_SUCH_RESOURCE = ("no-such-resource", 404, "No such resource")
    USER_NOT_FOUND = ("user-not-found", 404, "User not found")
    ORDER_NOT_FOUND = ("order-not-found", 404, "Order not found")
    SESSION_NOT_FOUND = ("session-not-found", 404, "Session not found")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "Method not allowed")
    REQUEST_INCOMPLETE = ("request-incomplete", 408, "Request incomplete")
    EMAIL_TAKEN = ("email-taken", 409, "Email taken")
    USER_HAS_ORDERS = ("user-has-orders", 409, "User has orders")
    WRONG_STATUS = ("wrong-status", 409, "Wrong status")
    CHANGED_MEANWHILE = ("changed-meanwhile", 409, "Changed meanwhile")
    KEY_IN_USE = ("key-in-use", 409, "Key in use")
    PRECONDITION_FAILED = ("precondition-failed", 412, "Precondition failed")
    BODY_TOO_LARGE = ("body-too-large", 413, "Body too large")
    UNSUPPORTED_MEDIA_TYPE = ("unsupported-media-type", 415, "Unsupported media type")
    INVALID_REQUEST = ("invalid-request", 422, "Invalid request")
    INVALID_VALUE = ("invalid-value", 422, "Invalid value")
    UNACCEPTABLE_ORDER = ("unacceptable-order", 422, "Unacceptable order")
    KEY_REUSED = ("key-reused", 422, "Key reused")
    PRECONDITION_REQUIRED = ("precondition-required", 428, "Precondition required")
    TOO_MANY_REQUESTS = ("too-many-requests", 429, "Too many requests")
    TOO_MANY_ATTEMPTS = ("too-many-attempts", 429, "Too many attempts")
    TOO_MANY_ADDRESS_CHANGES = ("too-many-address-changes", 429, "Too many address changes")
    DEFECT = ("defect", 500, "Defect")
    OUTCOME_UNKNOWN = ("outcome-unknown", 500, "Outcome unknown")
    TOO_MANY_CONNECTIONS = ("too-many-connections", 503, "Too many connections")
    UNAVAILABLE = ("unavailable", 503, "Unavailable")
    SESSIONS_UNAVAILABLE = ("sessions-unavailable", 503, "Sessions unavailable")
    TOO_MUCH_CONTENTION = ("too-much-contention", 503, "Too much contention")
    TIMEOUT = ("timeout", 504, "Timeout")

    def __init__(self, kind: str, status: int, title: str) -> None:
        self.kind = kind
        self.status = status
        self.title = title

    @property
    def type(self) -> str:
        """The URI of the problem's type."""
        return f"urn:shop:problem:{self.kind}"


OF_ERROR: Final[Mapping[type[object], Problem]] = {
    ChangedMeanwhile: Problem.CHANGED_MEANWHILE,
    EmailTaken: Problem.EMAIL_TAKEN,
    InvalidCursor: Problem.INVALID_CURSOR,
    InvalidValue: Problem.INVALID_VALUE,
    KeyInUse: Problem.KEY_IN_USE,
    KeyReused: Problem.KEY_REUSED,
    NotAllowed: Problem.NOT_ALLOWED,
    OrderNotFound: Problem.ORDER_NOT_FOUND,
    OutcomeUnknown: Problem.OUTCOME_UNKNOWN,
    SessionEnded: Problem.SESSION_ENDED,
    SessionNotFound: Problem.SESSION_NOT_FOUND,
    SessionsUnavailable: Problem.SESSIONS_UNAVAILABLE,
    TooManyAddressChanges: Problem.TOO_MANY_ADDRESS_CHANGES,
    TooManyAttempts: Problem.TOO_MANY_ATTEMPTS,
    TooMuchContention: Problem.TOO_MUCH_CONTENTION,
    UnacceptableOrder: Problem.UNACCEPTABLE_ORDER,
    Unavailable: Problem.UNAVAILABLE,
    UserHasOrders: Problem.USER_HAS_ORDERS,
    UserNotFound: Problem.USER_NOT_FOUND,
    WrongCredentials: Problem.WRONG_CREDENTIALS,
    WrongStatus: Problem.WRONG_STATUS,
}
"""The problem of each error of the use cases."""

_WITHOUT_REASON: Final[Mapping[type[object], str]] = {
    SessionsUnavailable: "sessions are unavailable: nobody can log in, and none can be listed or ended; try again later",
    Unavailable: "the database is unavailable; nothing was written, so try again later",
}
"""The details of errors whose reason names servers and their settings: that is in the log and in `shop health`."""


class InvalidPart(BaseModel):
    """An invalid part of a request: its place as a JSON pointer, from `/body`, `/query`, `/path` or `/header`."""

    at: str = Field(max_length=MAX_PLACE)
    reason: str = Field(max_length=MAX_REASON)


class ProblemDetails(BaseModel):
    """What went wrong. `type` identifies the kind of problem, `instance` this one: the trace that the log lines have."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    instance: str
    errors: list[InvalidPart] | None = Field(None, max_length=MAX_ERRORS, description="Invalid parts, perhaps not all of them.")


class Refused(Exception):
    """A request that is answered by a problem."""

    def __init__(self, problem: Problem, detail: str, *, retry_after: float | None = None, errors: list[InvalidPart] | None = None) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.retry_after = retry_after
        self.errors = errors

    @classmethod
    def by(cls, error: object) -> Refused:
        """Return the answer to an expected error. Raises TypeError for an unknown error, which is a defect in the program."""
        problem = OF_ERROR.get(type(error))
        if problem is None:
            raise TypeError(f"no problem is defined for {type(error).__name__}")
        return cls(
            problem,
            _WITHOUT_REASON.get(type(error)) or str(error),
            retry_after=error.retry_after if isinstance(error, TooManyAttempts | TooManyAddressChanges) else None,
        )


_EVERYWHERE = (
    Problem.MALFORMED_REQUEST,
    Problem.REQUEST_INCOMPLETE,
    Problem.BODY_TOO_LARGE,
    Problem.UNSUPPORTED_MEDIA_TYPE,
    Problem.INVALID_REQUEST,
    Problem.DEFECT,
    Problem.TOO_MANY_CONNECTIONS,
    Problem.TIMEOUT,
)
_ALWAYS = (*_EVERYWHERE, Problem.TOO_MANY_REQUESTS, Problem.UNAVAILABLE)
_OF_LOGGED_IN = (Problem.UNAUTHENTICATED, Problem.NOT_ALLOWED)
_OF_WRITES = (Problem.TOO_MUCH_CONTENTION, Problem.OUTCOME_UNKNOWN)
_OF_BODIES = (Problem.MALFORMED_BODY,)
_OF_KEYS = (Problem.KEY_IN_USE, Problem.KEY_REUSED)


def documented(*problems: Problem, login: bool = True, write: bool = False, body: bool = False, key: bool = False) -> dict[int | str, Any]:
    """Return the description of an operation's problems for OpenAPI: these, and those that any such operation can answer with."""
    possible = {*problems, *_ALWAYS}
    for is_so, those in ((login, _OF_LOGGED_IN), (write, _OF_WRITES), (body, _OF_BODIES), (key, _OF_KEYS)):
        possible.update(those if is_so else ())
    return _descriptions(possible)


def add_problems_of_the_server(document: dict[str, Any]) -> None:
    """Describe in OpenAPI what any operation is answered with before it begins or where it fails, also one that is described without."""
    added = {str(status): description for status, description in _descriptions(_EVERYWHERE).items()}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"] = {**added, **operation["responses"]}


def _descriptions(possible: Collection[Problem]) -> dict[int | str, Any]:
    statuses: dict[int, list[Problem]] = {}
    for problem in Problem:
        if problem in possible:
            statuses.setdefault(problem.status, []).append(problem)
    return {status: _description(those) for status, those in statuses.items()}


def _description(problems: list[Problem]) -> dict[str, Any]:
    own = {"properties": {"type": {"enum": [problem.type for problem in problems]}, "status": {"const": problems[0].status}}}
    description: dict[str, Any] = {
        "description": ", or ".join(problem.title for problem in problems),
        "content": {MEDIA_TYPE: {"schema": {"allOf": [{"$ref": "#/components/schemas/ProblemDetails"}, own]}}},
    }
    if problems[0].status == Problem.TOO_MANY_REQUESTS.status:
        description["headers"] = {"Retry-After": {"description": "Seconds to wait.", "required": True, "schema": {"type": "string"}}}
    return description
