"""How successful replies are described in OpenAPI."""

from __future__ import annotations

from typing import Any, Final

_ETAG: Final = {"ETag": {"description": "The version, for `If-Match`.", "required": True, "schema": {"type": "string"}}}
_REPLAYED: Final = {
    "Idempotency-Replayed": {"description": "Present if this is the stored reply.", "schema": {"type": "string", "const": "true"}}
}

ETAG: Final[dict[str, Any]] = {"description": "Done.", "headers": {**_ETAG, **_REPLAYED}}
SHOWN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Done.", "headers": _ETAG},
    304: {"description": "The client has it: `If-None-Match` names its ETag.", "headers": _ETAG},
}


def created(parameter: str, *operations: str) -> dict[str, Any]:
    """Return the description of a creation, and which operations take the new id as this parameter."""
    return {
        "description": "Created.",
        "headers": {"Location": {"description": "Its path.", "required": True, "schema": {"type": "string"}}, **_ETAG, **_REPLAYED},
        "links": {name: {"operationId": name, "parameters": {f"path.{parameter}": "$response.body#/id"}} for name in operations},
    }


NO_CONTENT: Final[dict[str, Any]] = {"description": "Done.", "headers": _REPLAYED}
