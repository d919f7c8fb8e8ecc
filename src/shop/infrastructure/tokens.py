"""`AccessTokens` by PyJWT: signed by Ed25519, in the profile of RFC 9068.

The libraries take a tenth of a second to import, so only what needs a token imports them.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from shop.application.commands.access_tokens import AccessClaims
from shop.domain.values import UserId

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_log = logging.getLogger("shop.tokens")

_ALGORITHM: Final = "EdDSA"
_TYPE: Final = "at+jwt"
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_GENERATIONS: Final = range(2**63)
_REQUIRED: Final = ("iss", "aud", "sub", "sid", "gen", "iat", "exp")
# Of the clocks of two processes: one may read a token that another one has just signed.
_LEEWAY: Final = timedelta(seconds=5)


@dataclass(frozen=True)
class KeyRing:
    """One key that signs, and all keys that verify, by their ids."""

    signing_id: str
    signing: Ed25519PrivateKey
    verifying: Mapping[str, Ed25519PublicKey]

    @classmethod
    def generate(cls) -> KeyRing:
        """Return a ring of one new key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key, key_id = Ed25519PrivateKey.generate(), secrets.token_hex(8)
        return cls(key_id, key, {key_id: key.public_key()})

    @classmethod
    def load(cls, folder: Path, signing_id: str) -> KeyRing:
        """Read the keys of a folder, `<id>.pem` each, private or public. Raises ValueError, which quotes no key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if not folder.is_dir():
            raise ValueError(f"token_keys is {folder}, which is not a folder; create it, with the key that signs")
        keys = {path.stem: _key(path) for path in sorted(folder.glob("*.pem"))}
        signing = keys.get(signing_id)
        if not isinstance(signing, Ed25519PrivateKey):
            cure = f"openssl genpkey -algorithm ed25519 -out {folder / (signing_id or 'ID')}.pem makes one"
            raise ValueError(f"the folder {folder} has no private key of the id {signing_id!r}; {cure}")  # noqa: TRY004 the folder is wrong, not a type
        return cls(
            signing_id, signing, {name: key.public_key() if isinstance(key, Ed25519PrivateKey) else key for name, key in keys.items()}
        )


class SignedAccessTokens:
    """Access tokens of one issuer for one audience. Without a folder of keys this process makes a key of its own, for development."""

    def __init__(self, *, keys: Path | None, signing_id: str, issuer: str, audience: str, lifetime: timedelta) -> None:
        self._folder = keys
        self._signing_id = signing_id
        self._issuer = issuer
        self._audience = audience
        self._lifetime = lifetime

    @property
    def lifetime(self) -> timedelta:
        """How long a token is valid."""
        return self._lifetime

    @cached_property
    def _ring(self) -> KeyRing:
        if self._folder is not None:
            return KeyRing.load(self._folder, self._signing_id)
        _log.warning("token_keys is not set: access tokens are signed by a key of this process alone")
        return KeyRing.generate()

    def issue(self, claims: AccessClaims) -> str:
        """Sign a token, which is valid from now on."""
        import jwt

        now = datetime.now(UTC)
        payload = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(claims.user_id),
            "sid": claims.session_id,
            "gen": claims.generation,
            "iat": now,
            "exp": now + self._lifetime,
        }
        return jwt.encode(payload, self._ring.signing, _ALGORITHM, headers={"kid": self._ring.signing_id, "typ": _TYPE})

    def read(self, token: str) -> AccessClaims | None:
        """Return what a token states, None unless it is one of ours and valid now."""
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            # By our own ids, never by a key or an address in the token; and the algorithm is ours, whatever the header says.
            key = self._ring.verifying.get(str(header.get("kid")))
            if key is None or header.get("typ") != _TYPE:
                raise jwt.InvalidTokenError("unknown key or type")
            payload: dict[str, Any] = jwt.decode(
                token,
                key,
                [_ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY,
                options={"require": list(_REQUIRED), "strict_aud": True},
            )
            session_id, generation = payload["sid"], payload["gen"]
            # No conversions: str() and int() accept other types, and what they return may be no key of the session store.
            if not isinstance(session_id, str) or _SESSION_ID.fullmatch(session_id) is None:
                raise jwt.InvalidTokenError("no session id")
            if type(generation) is not int or generation not in _GENERATIONS:
                raise jwt.InvalidTokenError("no generation")
            return AccessClaims(UserId(UUID(payload["sub"])), session_id, generation)
        # PyJWT lets pass what its JSON parser and its conversions of numbers raise: of nested arrays, and of Infinity.
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            # By its class: its message may quote the token.
            _log.info("access token refused: %s", type(error).__name__)
            return None

    def published(self) -> Sequence[Mapping[str, str]]:
        """Return the public keys, as in a JSON Web Key Set (RFC 7517)."""
        from jwt.algorithms import OKPAlgorithm

        return [
            {**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": key_id, "alg": _ALGORITHM, "use": "sig"}
            for key_id, key in self._ring.verifying.items()
        ]


def _key(path: Path) -> Ed25519PrivateKey | Ed25519PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

    if _KEY_ID.fullmatch(path.stem) is None:
        raise ValueError(f"{path}: the name of a key has only letters, digits, - and _")
    try:
        text = path.read_bytes()
        key = load_pem_private_key(text, None) if b"PRIVATE KEY" in text else load_pem_public_key(text)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(f"{path}: is no key in PEM without a passphrase") from None
    if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        raise ValueError(f"{path}: is no Ed25519 key; openssl genpkey -algorithm ed25519 makes one")  # noqa: TRY004 the file is wrong, not a type
    return key
