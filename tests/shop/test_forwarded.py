"""The address of a client behind proxies: what a client writes itself never counts."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from shop.infrastructure.settings.loading import SettingsError, load_settings
from shop.infrastructure.settings.proxies import trusted_networks
from shop.web.forwarded import Forwarded

from .web import listening, open_web

CLIENT = "203.0.113.9"
PROXIES = "10.0.0.0/8, 127.0.0.1,fd00::/8"


async def seen(header: bytes | list[bytes], peer: str | None = "10.0.0.1", *, proxies: str = PROXIES, is_local: bool = False) -> str | None:
    """Return the address that the application sees."""
    found: list[str | None] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        found.append(None if scope["client"] is None else scope["client"][0])

    headers = [(b"x-forwarded-for", each) for each in ([header] if isinstance(header, bytes) else header)]
    scope: Any = {"type": "http", "client": None if peer is None else (peer, 5000), "headers": headers, "scheme": "http"}
    unused: Any = None
    await Forwarded(app, trusted_networks(proxies), is_local=is_local)(scope, unused, unused)
    return found[0]


# Bytes that a client can write in front of what its proxy appends.
WRITTEN = st.binary(max_size=60) | st.lists(st.ip_addresses().map(str) | st.just("10.1.1.1"), max_size=4).map(
    lambda each: ",".join(each).encode()
)


@given(WRITTEN, st.booleans())
async def test_what_a_client_writes_has_no_effect(written: bytes, is_local: bool) -> None:
    peer = None if is_local else "10.0.0.1"
    assert await seen(written + b", " + CLIENT.encode(), peer, is_local=is_local) == CLIENT
    assert await seen([written, CLIENT.encode()], peer, is_local=is_local) == CLIENT
    # By two proxies.
    assert await seen(written + f", {CLIENT}, 10.7.0.1".encode(), peer, is_local=is_local) == CLIENT


@given(st.binary(max_size=80), st.sampled_from([None, "10.0.0.1", "192.0.2.7", "::ffff:10.0.0.1"]))
async def test_the_client_is_always_an_address(header: bytes, peer: str | None) -> None:
    client = await seen(header, peer, is_local=peer is None)
    assert client == peer or client is None or str(ipaddress.ip_address(client)) == client


@pytest.mark.parametrize(
    ("header", "client"),
    [
        *(
            (f"{CLIENT}:8080", CLIENT),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:DB8:0::1", "2001:db8::1"),
        ),
        *(
            ("::ffff:203.0.113.9", CLIENT),
            ("::ffff:10.9.9.9", "10.9.9.9"),
            (f"{CLIENT}, ::ffff:10.9.9.9", CLIENT),
            ("10.9.9.9", "10.9.9.9"),
        ),
        *(("", "10.0.0.1"), (",", "10.0.0.1"), ("unknown", "10.0.0.1"), ("fe80::1%forged text", "10.0.0.1"), ("203.0.113.9 x", "10.0.0.1")),
        *(
            ("[::1%x]", "10.0.0.1"),
            ("_hidden", "10.0.0.1"),
            ("1.2.3.4:x", "10.0.0.1"),
            (f"{CLIENT}, unknown", "10.0.0.1"),
            ("01.2.3.4", "10.0.0.1"),
        ),
        (f"{CLIENT}, unknown, 10.5.5.5", "10.5.5.5"),
    ],
)
async def test_the_client_is_the_last_address_that_is_no_proxy(header: str, client: str) -> None:
    assert await seen(header.encode()) == client


async def test_only_a_trusted_proxy_is_believed() -> None:
    assert await seen(CLIENT.encode(), "192.0.2.7") == "192.0.2.7"
    assert await seen(CLIENT.encode(), None) is None
    assert await seen(CLIENT.encode(), "127.0.0.1", proxies="") == "127.0.0.1"


@pytest.mark.parametrize("text", ["*", "127.0.0.1,*", "0.0.0.0/0", "::/0", "10.0.0.1/8", "proxy", "127.0.0.1:80", "/run/shop.sock"])
def test_proxies_are_addresses_and_networks(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="http_trusted_proxies"):
        load_settings(overrides={"database_url": "postgres://db/shop", "http_trusted_proxies": text})


async def test_limits_of_an_address_hold_behind_a_unix_socket(database_url: str, tmp_path: Path) -> None:
    async with open_web(database_url, http_login_limit=2) as web, listening(web, tmp_path) as client:

        async def log_in(forwarded: str) -> int:
            body = {"email": "nobody@example.org", "password": "guess guess"}
            return (await client.post("/sessions", json=body, headers={"X-Forwarded-For": forwarded})).status_code

        assert [await log_in(f"10.0.{number}.1, {CLIENT}") for number in range(4)] == [401, 401, 429, 429]
        assert await log_in("192.0.2.8") == 401
