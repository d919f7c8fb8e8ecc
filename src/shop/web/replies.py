"""Replies: what is sent, and what is stored for a request that is carried out once."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel
from starlette.responses import Response

from shop.application.context import CURRENT_TRACE
from shop.web.problems import MEDIA_TYPE, ProblemDetails, Refused


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request that succeeded."""

    status: int
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, model: BaseModel, status: int = 200, *, version: int | None = None, location: str | None = None) -> Reply:
        """Return a reply with a model, and the version of what it shows as its ETag."""
        headers = {} if location is None else {"Location": location}
        if version is not None:
            headers["ETag"] = etag(version)
        return cls(status, model.model_dump_json(), headers)

    def encoded(self) -> bytes:
        """Return the reply as it is stored."""
        return json.dumps([self.status, self.body, dict(self.headers)]).encode()

    @classmethod
    def decoded(cls, stored: bytes) -> Reply:
        """Return the reply that was stored."""
        status, body, headers = json.loads(stored)
        return cls(status, body, headers)

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """Return the response to send."""
        media_type = None if self.body is None else "application/json"
        return Response(self.body, self.status, {**self.headers, **(headers or {})}, media_type)


def etag(version: int) -> str:
    """Return the ETag of a version."""
    return f'"{version}"'


def problem_response(refused: Refused, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response to a refused request."""
    problem = refused.problem
    details = ProblemDetails(
        type=problem.type,
        title=problem.title,
        status=problem.status,
        detail=refused.detail,
        instance=f"urn:shop:trace:{CURRENT_TRACE.get()}",
        errors=refused.errors,
    )
    added = dict(headers or {})
    if refused.retry_after is not None:
        added["Retry-After"] = str(max(1, math.ceil(refused.retry_after)))
    return Response(details.model_dump_json(exclude_none=True), problem.status, added, MEDIA_TYPE)
