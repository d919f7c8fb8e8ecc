"""The application: its operations, how errors become problems, and its description in OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response

from shop.bootstrap.service import Shop
from shop.web.invalid import invalid_request
from shop.web.middleware import Limited, Limits, Observed
from shop.web.problems import InvalidPart, Problem, ProblemDetails, Refused, add_problems_of_the_server
from shop.web.replies import problem_response
from shop.web.routes import audit, operations, orders, sales, sessions, users
from shop.web.state import State

_ROUTERS = (users.router, sessions.router, orders.router, sales.router, audit.router, operations.router)
_ROUTES = [route for router in _ROUTERS for route in router.routes if isinstance(route, APIRoute)]
_OF_STATUS: Mapping[int, tuple[Problem, str]] = {
    400: (Problem.MALFORMED_BODY, "the body cannot be read"),
    404: (Problem.NO_SUCH_RESOURCE, "there is nothing at this path"),
    405: (Problem.METHOD_NOT_ALLOWED, "this path does not support the method; Allow lists those that it does"),
}


def create_app(shop: Shop, state: State, limits: Limits) -> FastAPI:
    """Return the application over a composed service."""
    app = _Described(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=[*_ROUTES],
        # Its spans have the query of the URL, and its log events the values that were refused.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        middleware=[Middleware(Observed, state=state), Middleware(Limited, rates=shop.rates, limits=limits)],
        exception_handlers={Refused: _refused, RequestValidationError: _invalid, HTTPException: _http},
    )
    # Now, so that no request waits for it.
    app.openapi()
    app.state.shop = shop
    app.state.serving = state
    for route in _ROUTES:
        # From the beginning, so that the first one of them is an increase.
        for method, status in product(route.methods or (), (500, 503, 504)):
            state.metrics.requests.labels(method, route.path, status)
    return app


class _Described(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Return the description."""
        return _description()


@cache
def _description() -> dict[str, Any]:
    """Return the description in OpenAPI, with the schema of problems and without FastAPI's own one, which no response has."""
    about = "Users and their orders. Errors are problems (RFC 9457)."
    document = get_openapi(title="shop", version="1", description=about, routes=_ROUTES)
    schemas: dict[str, Any] = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    template = "#/components/schemas/{model}"
    schemas["InvalidPart"] = InvalidPart.model_json_schema(ref_template=template)
    details = ProblemDetails.model_json_schema(ref_template=template)
    details.pop("$defs", None)
    schemas["ProblemDetails"] = details
    add_problems_of_the_server(document)
    return document


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 it is registered for no other
    headers = {"WWW-Authenticate": "Bearer"} if error.problem.status == Problem.UNAUTHENTICATED.status else None
    return problem_response(error, headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 as above
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return problem_response(Refused(Problem.MALFORMED_BODY, "the body is not JSON"))
    # Without the input, which may be a secret.
    return problem_response(invalid_request((each["loc"], each["msg"]) for each in found))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 as above
    problem, detail = _OF_STATUS[error.status_code]
    # Starlette lists only the methods of the first operation at the path.
    headers = {"Allow": ", ".join(_methods_at(request.url.path))} if problem is Problem.METHOD_NOT_ALLOWED else None
    return problem_response(Refused(problem, detail), headers)


def _methods_at(path: str) -> list[str]:
    return sorted({method for route in _ROUTES if route.path_regex.match(path) for method in route.methods or ()})
