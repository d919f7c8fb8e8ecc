"""A client that shows its requests and their answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

Document = dict[str, Any]
# A cursor in a URL, with its beginning, which is enough to tell it from others.
_CURSOR = re.compile(r"(?<=cursor=)([^&]{8})[^&]+")


class UnexpectedOutcome(Exception):
    """A step of the demo had an unexpected outcome."""


@dataclass
class Client:
    """Sends requests, in the name of a user who has logged in, or of nobody."""

    http: httpx.AsyncClient
    id: str = ""
    tokens: Document = field(default_factory=dict[str, Any])

    async def send(self, method: str, path: str, body: Document | None = None, *, headers: Mapping[str, str] = {}) -> httpx.Response:
        """Send a request, and return its answer. Raises `UnexpectedOutcome`."""
        bearer = {"Authorization": f"Bearer {self.tokens['access_token']}"} if self.tokens else {}
        try:
            return await self.http.request(method, path, json=body, headers={**bearer, **headers})
        except httpx.TransportError as error:
            raise UnexpectedOutcome(f"{method} {path}: the service does not answer: {str(error) or type(error).__name__}") from error

    async def done(self, method: str, path: str, body: Document | None = None, *, headers: Mapping[str, str] = {}) -> httpx.Response:
        """Send a request that must succeed."""
        answer = await self.send(method, path, body, headers=headers)
        if not answer.is_success:
            raise unexpected(answer)
        return answer

    async def refused(self, kind: str, method: str, path: str, body: Document | None = None, *, headers: Mapping[str, str] = {}) -> None:
        """Send a request that must be refused by a kind of problem, and show the problem."""
        answer = await self.send(method, path, body, headers=headers)
        if answer.is_success or answer.json().get("type") != f"urn:shop:problem:{kind}":
            raise unexpected(answer)
        problem = answer.json()
        show(answer, f"{kind}: {problem['detail']}")
        for part in problem.get("errors") or ():
            say(f"  {part['at']}: {part['reason']}")


def unexpected(answer: httpx.Response) -> UnexpectedOutcome:
    """Return the exception for an answer that no step expects."""
    request = answer.request
    text = f"{request.method} {request.url.path}: {answer.status_code} {answer.text}"
    return UnexpectedOutcome(f"unexpected outcome: {text}")


def step(title: str) -> None:
    """Begin a step."""
    sys.stdout.write(f"\n▸ {title}\n")


def say(line: str) -> None:
    """Show a line of a step."""
    sys.stdout.write(f"  {line}\n")


def show(answer: httpx.Response, text: str) -> None:
    """Show a request with the status of its answer, and what is of interest in it."""
    request = answer.request
    path = _CURSOR.sub(r"\1…", request.url.raw_path.decode())
    say(f"{request.method} {path}  {answer.status_code}  {text}".rstrip())
