"""Access tokens: which are accepted, and the keys that sign and verify them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import logging
import os
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import OKPAlgorithm

from shop.application.commands.access_tokens import AccessClaims, NoSigningKey
from shop.domain.values import UserId
from shop.infrastructure.settings.loading import SettingsError, load_settings
from shop.infrastructure.tokens import SignedAccessTokens

CLAIMS = AccessClaims(UserId(uuid.UUID(int=1)), "0" * 32, 3)
OLD, NEW = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def write(folder: Path, name: str, key: Ed25519PrivateKey | Ed25519PublicKey | ec.EllipticCurvePrivateKey) -> None:
    if isinstance(key, Ed25519PublicKey):
        text = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    else:
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{name}.pem").write_bytes(text)


def tokens(folder: Path, signing: str = "new", **options: Any) -> SignedAccessTokens:
    usual: dict[str, Any] = {"issuer": "shop", "audience": "shop", "lifetime": timedelta(minutes=5)}
    return SignedAccessTokens(keys=folder, signing_id=signing, **{**usual, **options})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two keys, of which only the new one can sign."""
    write(tmp_path, "old", OLD.public_key())
    write(tmp_path, "new", NEW)
    return tmp_path


def encoded(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def forged(header: Mapping[str, Any] = {}, payload: Mapping[str, Any] = {}, key: Ed25519PrivateKey = NEW) -> str:
    """Return a token as ours are, but for these parts. None leaves a part out."""
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": "shop", "aud": "shop", "sub": str(CLAIMS.user_id), "sid": CLAIMS.session_id, "gen": 3, "iat": now, "exp": now + 60}
    parts = [
        {name: value for name, value in {**usual, **other}.items() if value is not None}
        for usual, other in (({"alg": "EdDSA", "typ": "at+jwt", "kid": "new"}, header), (claims, payload))
    ]
    body = f"{encoded(parts[0])}.{encoded(parts[1])}"
    return f"{body}.{base64.urlsafe_b64encode(key.sign(body.encode())).rstrip(b'=').decode()}"


def test_a_token_states_what_it_was_issued_for(folder: Path) -> None:
    ours = tokens(folder)
    assert ours.read(ours.issue(CLAIMS)) == CLAIMS
    assert ours.read(forged()) == CLAIMS


def test_keys_are_rotated_without_refusing_a_token(folder: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    write(before, "old", OLD)
    issued_before = tokens(before, "old").issue(CLAIMS)
    # First all processes verify by the new key, then it signs, and the old one goes when its last token has expired.
    assert tokens(folder).read(issued_before) == CLAIMS
    write(before, "new", NEW.public_key())
    assert tokens(before, "old").read(tokens(folder).issue(CLAIMS)) == CLAIMS
    (folder / "old.pem").unlink()
    assert tokens(folder).read(issued_before) is None
    assert jwt.get_unverified_header(issued_before) == {"alg": "EdDSA", "typ": "at+jwt", "kid": "old"}


def test_published_keys_are_public_and_verify(folder: Path) -> None:
    ours = tokens(folder)
    keys = [dict(each) for each in ours.published()]
    assert [set(each) for each in keys] == [{"kty", "crv", "x", "kid", "alg", "use"}] * 2
    found = jwt.PyJWKSet.from_dict({"keys": keys})
    assert jwt.decode(ours.issue(CLAIMS), found["new"], ["EdDSA"], audience="shop")["sub"] == str(CLAIMS.user_id)


def by_hmac(secret: bytes) -> str:
    body = forged({"alg": "HS256"}).rpartition(".")[0]
    return f"{body}.{base64.urlsafe_b64encode(hmac.digest(secret, body.encode(), hashlib.sha256)).rstrip(b'=').decode()}"


PUBLIC = NEW.public_key()
STRANGER = Ed25519PrivateKey.generate()
OTHER_KEY: dict[str, Any] = OKPAlgorithm.to_jwk(STRANGER.public_key(), as_dict=True)
AN_HOUR_AGO = int(datetime.now(UTC).timestamp()) - 3600


@dataclass
class Clock:
    """A clock that is moved by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def warned(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= level]


@pytest.fixture
def clock() -> Clock:
    """The clock of `reloading`."""
    return Clock()


@pytest.fixture
def reloading(folder: Path, clock: Clock) -> SignedAccessTokens:
    """The tokens of a folder whose file `signing` names the key that signs."""
    (folder / "signing").write_text("new\n", encoding="utf-8")
    return tokens(folder, "", clock=clock)


def test_a_changed_folder_is_used_soon_and_not_looked_at_for_each_token(
    folder: Path, clock: Clock, reloading: SignedAccessTokens, caplog: pytest.LogCaptureFixture
) -> None:
    before = reloading.issue(CLAIMS)
    write(folder, "newer", Ed25519PrivateKey.generate())
    (folder / "signing").write_text("newer", encoding="utf-8")
    (folder / "new.pem").unlink()
    clock.now = 1.9
    assert (kid(reloading.issue(CLAIMS)), reloading.read(before)) == ("new", CLAIMS)
    clock.now = 2.0
    # What was removed is refused at once.
    assert (kid(reloading.issue(CLAIMS)), reloading.read(before)) == ("newer", None)
    assert reloading.read(reloading.issue(CLAIMS)) == CLAIMS
    assert [each["kid"] for each in reloading.published()] == ["newer", "old"]
    clock.now = 4.0
    assert kid(reloading.issue(CLAIMS)) == "newer"
    assert warned(caplog) == ["token_keys has changed: the key newer signs, and accepted are newer, old"]


def test_a_key_of_the_same_name_replaces_the_other(folder: Path, clock: Clock, reloading: SignedAccessTokens) -> None:
    before = reloading.issue(CLAIMS)
    write(folder, "new", Ed25519PrivateKey.generate())
    clock.now = 2.0
    assert reloading.read(before) is None
    assert reloading.read(reloading.issue(CLAIMS)) == CLAIMS


def test_tokens_are_accepted_by_the_process_that_issued_them_when_the_key_that_signs_is_removed(
    folder: Path, clock: Clock, reloading: SignedAccessTokens, caplog: pytest.LogCaptureFixture
) -> None:
    before = reloading.issue(CLAIMS)
    write(folder, "other", Ed25519PrivateKey.generate())
    (folder / "new.pem").unlink()
    for now in (2.0, 4.0):
        clock.now = now
        issued = reloading.issue(CLAIMS)
        assert (kid(issued), reloading.read(issued), reloading.read(before)) == ("other", CLAIMS, None)
    [error] = warned(caplog, logging.ERROR)
    assert f"openssl genpkey -algorithm ed25519 -out {folder / 'new.pem'} makes one" in error
    # Now only a public key is left.
    (folder / "other.pem").unlink()
    clock.now = 6.0
    with pytest.raises(NoSigningKey):
        reloading.issue(CLAIMS)
    assert "until" in warned(caplog, logging.ERROR)[-1]
    assert [each["kid"] for each in reloading.published()] == ["old"]
    write(folder, "new", NEW)
    clock.now = 8.0
    assert reloading.read(reloading.issue(CLAIMS)) == reloading.read(before) == CLAIMS


def test_a_token_is_signed_by_the_key_that_it_names_also_during_a_rotation(folder: Path) -> None:
    write(folder, "old", OLD)
    names = itertools.cycle(["new", "old"])

    def moves_on() -> float:
        # Between any two looks the interval passes, and the other key signs.
        (folder / "signing").write_text(next(names), encoding="utf-8")
        return next(seconds)

    seconds = itertools.count(step=10.0)
    rotating = tokens(folder, "", clock=moves_on)
    (folder / "signing").write_text("new", encoding="utf-8")
    for _ in range(4):
        assert rotating.read(rotating.issue(CLAIMS)) == CLAIMS


# A FIFO without a writer would block the event loop.
@pytest.mark.parametrize("name", ["x.pem", "signing"])
def test_what_is_no_regular_file_is_refused_at_once(folder: Path, clock: Clock, reloading: SignedAccessTokens, name: str) -> None:
    before, read = reloading.issue(CLAIMS), list[AccessClaims | None]()
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    clock.now = 2.0
    reading = threading.Thread(target=lambda: read.append(reloading.read(before)), daemon=True)
    reading.start()
    reading.join(30)
    assert read == [CLAIMS]
    with pytest.raises(ValueError, match="it is not a regular file"):
        tokens(folder, "").issue(CLAIMS)


def test_a_large_file_is_not_read_whole(
    folder: Path, clock: Clock, reloading: SignedAccessTokens, caplog: pytest.LogCaptureFixture
) -> None:
    before = reloading.issue(CLAIMS)
    with (folder / "large.pem").open("wb") as file:
        file.truncate(65_537)
    clock.now = 2.0
    assert reloading.read(before) == CLAIMS
    [line] = warned(caplog, logging.ERROR)
    assert f"{folder / 'large.pem'}: cannot be read: it is larger than 64 KiB" in line


BROKEN = {
    "a key": ("new.pem", b"x", "keys/new.pem: is no key in PEM without a passphrase; openssl genpkey -algorithm ed25519 makes one"),
    "the file that names the key": (
        "signing",
        b"",
        "keys/signing: is not the id of a key; write the id of the key that signs into it, as in 2026-12",
    ),
}


@pytest.mark.parametrize(("name", "text", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_logged_once_with_its_cure_and_the_earlier_key_stays(
    folder: Path, clock: Clock, reloading: SignedAccessTokens, caplog: pytest.LogCaptureFixture, name: str, text: bytes, said: str
) -> None:
    before, known = reloading.issue(CLAIMS), (folder / name).read_bytes()
    (folder / name).write_bytes(text)
    for now in (2.0, 4.0):
        clock.now = now
        assert reloading.read(before) == reloading.read(reloading.issue(CLAIMS)) == CLAIMS
    [line] = warned(caplog, logging.ERROR)
    stays = "token_keys has problems, and what was read before stays in use instead: "
    assert line.replace(str(folder), "keys").startswith(stays + said)
    (folder / name).write_bytes(known)
    clock.now = 6.0
    assert reloading.read(before) == CLAIMS
    assert warned(caplog)[1:] == ["token_keys has no problems any more"]


def test_a_removed_key_is_refused_whatever_else_is_broken_and_a_folder_that_is_lost_removes_none(
    folder: Path, clock: Clock, reloading: SignedAccessTokens
) -> None:
    before = reloading.issue(CLAIMS)
    lost = folder.rename(folder.with_name("lost"))
    clock.now = 2.0
    assert reloading.read(before) == CLAIMS
    lost.rename(folder)
    (folder / "old.pem").write_bytes(b"x")
    # A link to what was removed is as good as removed.
    (folder / "new.pem").rename(folder.with_name("target"))
    (folder / "new.pem").symlink_to(folder.with_name("target"))
    clock.now = 4.0
    assert reloading.read(before) == CLAIMS
    folder.with_name("target").unlink()
    clock.now = 6.0
    assert reloading.read(before) is None
    assert [each["kid"] for each in reloading.published()] == ["old"]


@pytest.mark.parametrize("name", ["x.pem", "signing"])
def test_a_link_to_nothing_is_no_key_to_begin_with(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("missing")
    with pytest.raises(ValueError, match=f"{name}: cannot be read: it is a link to a file that does not exist"):
        tokens(folder, "").issue(CLAIMS)


REFUSED = {
    "no algorithm": f"{forged({'alg': 'none'}).rpartition('.')[0]}.",
    "no algorithm, in capitals": f"{forged({'alg': 'NONE'}).rpartition('.')[0]}.",
    "a signature of no algorithm": forged({"alg": "none"}),
    "the public key as a secret, in PEM": by_hmac(PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
    "the public key as a secret": by_hmac(PUBLIC.public_bytes(Encoding.Raw, PublicFormat.Raw)),
    "an empty secret": by_hmac(b""),
    "another algorithm": forged({"alg": "ES256"}),
    "a key of a stranger": forged(key=STRANGER),
    "a key of a stranger in the token": forged({"jwk": OTHER_KEY}, key=STRANGER),
    "a key at an address of a stranger": forged({"jku": "http://localhost:9/jwks.json"}, key=STRANGER),
    "another key of ours": forged({"kid": "old"}),
    "an unknown key": forged({"kid": "newer"}),
    "a path as a key": forged({"kid": "../new"}),
    "a number as a key": forged({"kid": 1}),
    "no key": forged({"kid": None}),
    "another type": forged({"typ": "JWT"}),
    "no type": forged({"typ": None}),
    "an unknown extension that is critical": forged({"crit": ["b64"], "b64": False}),
    "expired": forged(payload={"exp": AN_HOUR_AGO}),
    "not valid yet": forged(payload={"nbf": AN_HOUR_AGO + 7200}),
    "issued in the future": forged(payload={"iat": AN_HOUR_AGO + 7200}),
    "another audience": forged(payload={"aud": "other"}),
    "several audiences": forged(payload={"aud": ["shop", "other"]}),
    "another issuer": forged(payload={"iss": "other"}),
    **{f"no {name}": forged(payload={name: None}) for name in ("iss", "aud", "sub", "sid", "gen", "iat", "exp")},
    "no user": forged(payload={"sub": "root"}),
    "no number": forged(payload={"gen": "x"}),
    **{f"a session id of {sid!r:.9}": forged(payload={"sid": sid}) for sid in ("\ud800", "\0", "", "é", "x" * 65, 1, ["x"])},
    **{f"a generation of {gen!r:.9}": forged(payload={"gen": gen}) for gen in ("3", 3.0, True, float("inf"), -1, 2**63)},
    "a user that is no text": forged(payload={"sub": 1}),
    "no time": forged(payload={"exp": float("inf")}),
    "a header that is nested too deeply": base64.urlsafe_b64encode(b"[" * 30_000).decode() + ".e30.e30",
    "a payload of another token": ".".join([forged().split(".")[0], encoded({"sub": str(CLAIMS.user_id)}), forged().split(".")[2]]),
    "no token": "x",
    "nothing": "",
    "no text": "\udcff.\0.",
}


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED)
def test_what_is_no_valid_token_of_ours_is_refused(folder: Path, token: str) -> None:
    assert tokens(folder).read(token) is None


def test_a_token_is_valid_for_its_lifetime_and_the_difference_of_clocks(folder: Path) -> None:
    late, at_the_end = tokens(folder, lifetime=timedelta(seconds=-6)), tokens(folder, lifetime=timedelta(seconds=0))
    assert late.read(late.issue(CLAIMS)) is None
    assert at_the_end.read(at_the_end.issue(CLAIMS)) == CLAIMS


def test_without_a_folder_each_process_has_a_key_of_its_own() -> None:
    ours, other = (SignedAccessTokens(keys=None, signing_id="", issuer="i", audience="a", lifetime=timedelta(hours=1)) for _ in range(2))
    assert ours.read(ours.issue(CLAIMS)) == CLAIMS
    assert other.read(ours.issue(CLAIMS)) is None


def test_keys_that_cannot_be_used_are_invalid_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)

    def problem(signing: str = "new", keys: str = str(folder)) -> str:
        with pytest.raises(SettingsError) as raised:
            load_settings(overrides={"database_url": "postgres://db/shop", "token_keys": keys, "token_signing_key": signing})
        [found] = raised.value.problems
        setting, _, text = found.replace(str(folder), "keys").partition(" on the command line: ")
        # A file of a key is one of the folder, whichever key signs.
        assert setting == (
            "token_keys"
            if " key in PEM" in text or "Ed25519" in text or "name of a key" in text or "nowhere" in text
            else "token_signing_key"
        )
        return text

    cure = "openssl genpkey -algorithm ed25519 -out keys"
    # No command that would overwrite it.
    public = "keys/old.pem: is a public key, which cannot sign; let another one sign, or put its private key there"
    assert problem("old") == public
    assert problem("missing") == f"the folder keys has no private key of the id 'missing'; {cure}/missing.pem makes one"
    assert problem(keys="nowhere") == (
        "token_keys is nowhere, which cannot be read: No such file or directory; it has to be a folder, with the key that signs"
    )
    assert problem(keys="") == "needs token_keys, the folder of the key"
    missing = "keys/signing: does not exist; write the id of the key that signs into it, or set token_signing_key"
    assert problem("") == missing
    for text in (b"", b"a b", b"../new", b"new\nold"):
        (folder / "signing").write_bytes(text)
        assert problem("") == "keys/signing: is not the id of a key; write the id of the key that signs into it, as in 2026-12"
    (folder / "signing").write_bytes(b"\xff")
    assert problem("") == "keys/signing: cannot be read: it is not UTF-8; it has to contain the id of the key that signs"
    (folder / "signing").write_text("old\n", encoding="utf-8")
    assert problem("") == public
    assert problem("new") == "keys/signing: names the key that signs, and so does token_signing_key; remove one of them"
    (folder / "signing").unlink()
    write(folder, "a b", NEW)
    assert problem() == "keys/a b.pem: the name of a key has only letters, digits, - and _"
    (folder / "a b.pem").unlink()
    write(folder, "curve", ec.generate_private_key(ec.SECP256R1()))
    assert problem() == "keys/curve.pem: is no Ed25519 key; openssl genpkey -algorithm ed25519 makes one"
    locked = NEW.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"s3cret"))
    for text in (b"", b"x", b"-----BEGIN PRIVATE KEY-----\nx", locked):
        (folder / "curve.pem").write_bytes(text)
        assert problem() == "keys/curve.pem: is no key in PEM without a passphrase; openssl genpkey -algorithm ed25519 makes one"
