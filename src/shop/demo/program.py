"""The program of the demo: its servers and settings, and what ends it."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from shop.bootstrap.administration import DatabaseNotReady
from shop.bootstrap.settings import Settings
from shop.demo.client import UnexpectedOutcome
from shop.demo.service import running
from shop.demo.story import tell
from shop.local_servers import ServerNotStarted, nats_server, redis_server

_SIGNING_KEY = "demo"


def run() -> int:
    """Run the demo, and return the exit status."""
    database_url = os.environ.get("DATABASE_URL", "")
    if not database_url:
        return _fail_with("DATABASE_URL is not set; set it to the database, as in postgres://user@host/shop", status=2)
    try:
        with ExitStack() as stack:
            asyncio.run(_run(_settings(stack, database_url)))
    except DatabaseNotReady as error:
        return _fail_with(f"{error}\nCheck DATABASE_URL, and apply the migrations with `dbmate -d migrations up`.", status=1)
    except ValidationError as error:
        # Nothing else comes from outside. Without its input, which may contain a password.
        return _fail_with(f"DATABASE_URL: {error.errors()[0]['msg'].removeprefix('Value error, ')}", status=2)
    except (ServerNotStarted, UnexpectedOutcome) as error:
        return _fail_with(str(error), status=1)
    except KeyboardInterrupt:
        return _fail_with("stopped by Ctrl-C", status=130)
    return 0


def _settings(stack: ExitStack, database_url: str) -> Settings:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-demo-")))
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{_SIGNING_KEY}.pem").write_bytes(key)
    given = {"database_url": database_url, "tracing": "file", "trace_file": str(folder / "spans.jsonl"), "http_drain": "0"}
    given |= {"token_keys": str(folder), "token_signing_key": _SIGNING_KEY, "cursor_keys": secrets.token_hex(32)}
    nats = stack.enter_context(nats_server(folder))
    given |= {"nats_url": nats.url, "nats_monitoring_url": nats.monitoring_url}
    return Settings.model_validate(given | {"redis_url": stack.enter_context(redis_server(folder)).url})


async def _run(settings: Settings) -> None:
    async with running(settings) as service:
        await tell(service)


def _fail_with(message: str, *, status: int) -> int:
    sys.stderr.write(f"shop.demo: {message}\n")
    return status
