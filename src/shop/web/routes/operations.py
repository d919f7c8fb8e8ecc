"""What operators and their tools ask."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from shop.application.health import check_health
from shop.web.metrics import describe_backlog
from shop.web.replies import Reply
from shop.web.requests import Service
from shop.web.routing import router_of
from shop.web.state import State

# Scrapers and probes add parameters of their own.
router = router_of("operations", is_strict=False)

# Seconds for each optional dependency, which does not decide whether the service is ready.
_OPTIONAL: Final = 1.0


class Liveness(BaseModel):
    """That the process answers."""

    alive: bool = True


class Dependency(BaseModel):
    """The state of a dependency. What is wrong is in the log and in `shop health`, not here."""

    name: str
    is_healthy: bool
    is_required: bool


class Readiness(BaseModel):
    """Whether the process should receive requests: not while it is stopping, and not without what it requires."""

    ready: bool
    is_stopping: bool
    dependencies: list[Dependency]


@router.get("/livez")
async def show_liveness() -> Liveness:
    """Answer, if the process is alive."""
    return Liveness()


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness, "description": "Not ready."}})
async def show_readiness(request: Request) -> Response:
    """Return 200 while the process should receive requests, and 503 otherwise."""
    state: State = request.app.state.serving
    health = await check_health(state.checks, optional=_OPTIONAL)
    readiness = Readiness(
        ready=health.is_ready and not state.is_stopping,
        is_stopping=state.is_stopping,
        dependencies=[Dependency(name=each.name, is_healthy=each.is_healthy, is_required=each.is_required) for each in health.findings],
    )
    return Reply.of(readiness, 200 if readiness.ready else 503).response()


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Metrics in Prometheus's text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def show_metrics(request: Request, shop: Service) -> Response:
    """Show metrics in Prometheus's text format."""
    state: State = request.app.state.serving
    backlog = describe_backlog(await shop.backlog.measure())
    usage = generate_latest(state.metrics.registry) + generate_latest(shop.usage)
    return Response(usage + backlog, media_type=CONTENT_TYPE_LATEST)


@router.get("/openapi.json", include_in_schema=False)
async def show_description(request: Request) -> JSONResponse:
    """Show the description of all operations. A route like the others, for the log, the metrics and `Allow`."""
    return JSONResponse(request.app.openapi())
