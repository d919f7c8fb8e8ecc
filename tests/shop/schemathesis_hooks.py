"""How schemathesis logs in: as an administrator, again after each request that ends the session, and as another one if that fails.

It finds the id of the administrator, and sends requests that delete the account, change its address, or guess its password too often.
"""

from __future__ import annotations

import os
import uuid
from typing import Any

import httpx
import psycopg
import schemathesis

# Its types are generic, and the parameters are not public.
_library: Any = schemathesis
_tokens: list[str] = []
_accounts: list[dict[str, str]] = []


def _log_in() -> str:
    for account in _accounts[-1:]:
        answer = httpx.post(f"{os.environ['SHOP_URL']}/sessions", json=account)
        if answer.is_success:
            return str(answer.json()["access_token"])
    _accounts.append({"email": f"{uuid.uuid4().hex}@example.org", "password": os.environ["ADMIN_PASSWORD"]})
    registration = {"first_name": "Ada", "last_name": "Lovelace", **_accounts[-1]}
    registered = httpx.post(f"{os.environ['SHOP_URL']}/users", json=registration).json()
    with psycopg.connect(os.environ["DATABASE_URL"]) as conn:
        conn.execute("UPDATE users SET role = 'admin' WHERE id = %s", (registered["id"],))
    return _log_in()


class Login:
    """The session of the administrator."""

    def get(self, _: object, __: object) -> str:
        if not _tokens:
            _tokens.append(_log_in())
        return _tokens[0]

    def set(self, case: Any, data: str, _: object) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


def after_call(_: object, case: Any, response: Any) -> None:
    if response.status_code == 401 or case.operation.label.endswith(("/sessions/current", "/sessions")):
        _tokens.clear()


_library.auth(refresh_interval=None)(Login)
_library.hook("after_call")(after_call)
