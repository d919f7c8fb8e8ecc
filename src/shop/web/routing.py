"""Routers of operations."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from shop.web.strict import StrictRoute, only_described


def router_of(tag: str, prefix: str = "", *, is_strict: bool = True) -> APIRouter:
    """Return an empty router; a strict one also refuses parameters and conditions that its operations do not describe.

    Its routes are complete, and those of the application: FastAPI makes the routes of an included router again for each application, with
    the first request to it.
    """
    strict = [Depends(only_described)] if is_strict else []
    return APIRouter(prefix=prefix, tags=[tag], route_class=StrictRoute, dependencies=strict, generate_unique_id_function=_name)


def _name(route: APIRoute) -> str:
    return route.name
