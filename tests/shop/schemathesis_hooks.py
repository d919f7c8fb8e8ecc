"""How schemathesis logs in: as the administrator of the test, and again after each request that ends the session."""

from __future__ import annotations

import os
from typing import Any

import httpx
import schemathesis

# Its types are generic, and the parameters are not public.
_library: Any = schemathesis
_tokens: list[str] = []


def log_in() -> str:
    credentials = {"email": os.environ["ADMIN_EMAIL"], "password": os.environ["ADMIN_PASSWORD"]}
    answer = httpx.post(f"{os.environ['SHOP_URL']}/sessions", json=credentials)
    assert answer.is_success, answer.text
    token: str = answer.json()["access_token"]
    return token


class Login:
    """The session of the administrator."""

    def get(self, _: object, __: object) -> str:
        if not _tokens:
            _tokens.append(log_in())
        return _tokens[0]

    def set(self, case: Any, data: str, _: object) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


def after_call(_: object, case: Any, response: Any) -> None:
    if response.status_code == 401 or case.operation.label.endswith(("/sessions/current", "/sessions")):
        _tokens.clear()
    if response.status_code == 401 and case.operation.label.endswith("/password"):
        # A wrong guess, perhaps of the administrator's password. Requests are made in advance, more than guesses are allowed, and a login
        # begins a new count.
        _tokens.append(log_in())


_library.auth(refresh_interval=None)(Login)
_library.hook("after_call")(after_call)
