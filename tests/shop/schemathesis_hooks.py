"""How schemathesis logs in: as the administrator of the test, and again after each request that ends the session."""

from __future__ import annotations

import os
from typing import Any

import httpx
import schemathesis

_token: str | None = None


@schemathesis.auth(refresh_interval=None)
class Login:
    """The session of the administrator."""

    def get(self, _: schemathesis.Case[Any], __: schemathesis.AuthContext) -> str:
        global _token  # noqa: PLW0603 - hooks are functions of a module
        if _token is None:
            credentials = {"email": os.environ["ADMIN_EMAIL"], "password": os.environ["ADMIN_PASSWORD"]}
            _token = httpx.post(f"{os.environ['SHOP_URL']}/sessions", json=credentials).json()["token"]
        return _token

    def set(self, case: schemathesis.Case[Any], data: str, _: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def after_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], response: Any) -> None:
    global _token  # noqa: PLW0603 - as above
    if response.status_code == 401 or case.operation.label.endswith(("/sessions/current", "/sessions")):
        _token = None
