"""`AccessTokens` by PyJWT: signed by Ed25519, in the profile of RFC 9068.

The libraries take a tenth of a second to import, so only what needs a token imports them.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from shop.application.commands.access_tokens import AccessClaims, NoSigningKey
from shop.domain.values import UserId
from shop.infrastructure.small_files import read_small_file

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
# The file of the folder of keys that names the one that signs.
_NOWHERE: Final = "cannot be read: it is a link to a file that does not exist"
_SIGNING: Final = "signing"
# Seconds between two looks at the folder: reading a few small files takes less than a millisecond.
_INTERVAL: Final = 2.0
_EXAMPLE: Final = "2026-12"
_CURE: Final = "openssl genpkey -algorithm ed25519 makes one"

Key: TypeAlias = "Ed25519PrivateKey | Ed25519PublicKey"


@dataclass(frozen=True)
class KeyRing:
    """One key that signs, and all keys that verify, by their ids. None signs if the last private key was removed."""

    signing_id: str
    signing: Ed25519PrivateKey | None
    verifying: Mapping[str, Ed25519PublicKey]

    @classmethod
    def generate(cls) -> KeyRing:
        """Return a ring of one new key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key, key_id = Ed25519PrivateKey.generate(), secrets.token_hex(8)
        return cls(key_id, key, {key_id: key.public_key()})

    @classmethod
    def load(cls, folder: Path, signing_id: str) -> KeyRing:
        """Read the keys of a folder, `<id>.pem` each, private or public. Raises ValueError with all problems, which quotes no key.

        Without an id of the key that signs, the file `signing` of the folder names it.
        """
        keys = _read_all(folder)
        signing_id, signing = _signing(folder, signing_id, keys)
        return cls(signing_id, signing, _public(keys))

    def reloaded(self, folder: Path, signing_id: str) -> tuple[KeyRing, Sequence[str]]:
        """Return the keys that a folder has now, and its problems. What is broken is replaced by what this ring has.

        A key whose file is gone is gone, whatever else is broken: it may have leaked. If it is the one that signs, another private key of
        the folder signs instead. A folder that is gone is broken.
        """
        try:
            keys, broken = _read(folder)
        except ValueError as error:
            return self, [str(error)]
        problems = list(broken.values())
        verifying = {**_public(keys), **{key_id: self.verifying[key_id] for key_id in broken if key_id in self.verifying}}
        try:
            return KeyRing(*_signing(folder, signing_id, keys), verifying), problems
        except ValueError as error:
            problems.append(str(error))
        if self._is_accepted_by(verifying):
            return KeyRing(self.signing_id, self.signing, verifying), problems
        signing_id, signing = _any_private(keys)
        if signing is None:
            problems.append(f"until {folder} has a private key that signs, no token is issued, and logins are answered by 503")
        return KeyRing(signing_id, signing, verifying), problems

    def _is_accepted_by(self, verifying: Mapping[str, Ed25519PublicKey]) -> bool:
        known = verifying.get(self.signing_id)
        return known is not None and self.signing is not None and known.public_bytes_raw() == self.signing.public_key().public_bytes_raw()


def check_keys(folder: Path) -> None:
    """Raise ValueError with all problems of the keys of a folder, whichever of them signs."""
    _read_all(folder)


class SignedAccessTokens:
    """Access tokens of one issuer for one audience. Without a folder of keys this process makes a key of its own, for development.

    The folder is read again while tokens are issued and verified, but not more often than every `_INTERVAL` seconds. What is broken then
    leaves the earlier keys in use, and is logged.
    """

    def __init__(
        self,
        *,
        keys: Path | None,
        signing_id: str,
        issuer: str,
        audience: str,
        lifetime: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = keys
        self._signing_id = signing_id
        self._issuer = issuer
        self._audience = audience
        self._lifetime = lifetime
        self._clock = clock
        self._known: KeyRing | None = None
        self._current_until = 0.0
        self._problems: Sequence[str] = ()

    @property
    def lifetime(self) -> timedelta:
        """How long a token is valid."""
        return self._lifetime

    @property
    def _ring(self) -> KeyRing:
        known = self._known
        if known is None:
            known = self._known = self._first()
        elif self._folder is not None and self._clock() >= self._current_until:
            known = self._known = self._reloaded(known, self._folder)
        else:
            return known
        self._current_until = self._clock() + _INTERVAL
        return known

    def _first(self) -> KeyRing:
        if self._folder is not None:
            return KeyRing.load(self._folder, self._signing_id)
        _log.warning("token_keys is not set: access tokens are signed by a key of this process alone")
        return KeyRing.generate()

    def _reloaded(self, known: KeyRing, folder: Path) -> KeyRing:
        ring, problems = known.reloaded(folder, self._signing_id)
        if problems and problems != self._problems:
            _log.error("token_keys has problems, and what was read before stays in use instead: %s", "; ".join(problems))
        elif self._problems and not problems:
            _log.warning("token_keys has no problems any more")
        self._problems = problems
        if (ring.signing_id, _raw(ring)) != (known.signing_id, _raw(known)):
            signs = f"the key {ring.signing_id} signs" if ring.signing_id else "no key signs"
            _log.warning("token_keys has changed: %s, and accepted are %s", signs, ", ".join(ring.verifying) or "none")
        return ring

    def issue(self, claims: AccessClaims) -> str:
        """Sign a token, which is valid from now on. Raises `NoSigningKey`."""
        import jwt

        ring = self._ring
        if ring.signing is None:
            raise NoSigningKey("token_keys has no private key that signs; the log has the cure")
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
        return jwt.encode(payload, ring.signing, _ALGORITHM, headers={"kid": ring.signing_id, "typ": _TYPE})

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


def _read(folder: Path) -> tuple[dict[str, Key], dict[str, str]]:
    """Return the keys of a folder by their ids, and the problems of the other files. Raises ValueError: it is no folder."""
    keys = dict[str, Key]()
    problems = dict[str, str]()
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".pem")
    except OSError as error:
        raise ValueError(
            f"token_keys is {folder}, which cannot be read: {error.strerror}; it has to be a folder, with the key that signs"
        ) from None
    for path in paths:
        try:
            keys[path.stem] = _key(path)
        except FileNotFoundError:
            # Removed since, or a link to what was removed.
            continue
        except ValueError as error:
            problems[path.stem] = str(error)
    return keys, problems


def _read_all(folder: Path) -> dict[str, Key]:
    """Return the keys of a folder by their ids. Raises ValueError with all problems.

    A link to nothing is one of them: a process that already has the key takes it for removed, and this one would begin without it.
    """
    keys, broken = _read(folder)
    links = [path for path in sorted(folder.glob("*.pem")) if path.is_symlink() and not path.exists() and path.stem not in broken]
    if problems := [*broken.values(), *(f"{path}: {_NOWHERE}" for path in links)]:
        raise ValueError("; ".join(problems))
    return keys


def _signing(folder: Path, signing_id: str, keys: Mapping[str, Key]) -> tuple[str, Ed25519PrivateKey]:
    """Return the id and the key that signs. Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    file = folder / _SIGNING
    try:
        named = read_small_file(file, is_regular=True).decode("utf-8").strip()
    except FileNotFoundError:
        named = ""
        if file.is_symlink():
            raise ValueError(f"{file}: {_NOWHERE}") from None
        if not signing_id:
            raise ValueError(f"{file}: does not exist; write the id of the key that signs into it, or set token_signing_key") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ValueError(f"{file}: cannot be read: {reason}; it has to contain the id of the key that signs") from None
    else:
        if signing_id:
            raise ValueError(f"{file}: names the key that signs, and so does token_signing_key; remove one of them")
        if _KEY_ID.fullmatch(named) is None:
            raise ValueError(f"{file}: is not the id of a key; write the id of the key that signs into it, as in {_EXAMPLE}")
    signing_id = signing_id or named
    key = keys.get(signing_id)
    if not isinstance(key, Ed25519PrivateKey):
        file = folder / f"{signing_id}.pem"
        if key is not None:
            raise ValueError(f"{file}: is a public key, which cannot sign; let another one sign, or put its private key there")
        cure = f"openssl genpkey -algorithm ed25519 -out {file} makes one"
        raise ValueError(f"the folder {folder} has no private key of the id {signing_id!r}; {cure}")  # noqa: TRY004 the folder is wrong, not a type
    return signing_id, key


def _any_private(keys: Mapping[str, Key]) -> tuple[str, Ed25519PrivateKey | None]:
    """Return the id and the key of the last private key by name, which all processes agree on; nothing if there is none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = [(key_id, key) for key_id, key in keys.items() if isinstance(key, Ed25519PrivateKey)]
    return max(private, key=lambda each: each[0], default=("", None))


def _public(keys: Mapping[str, Key]) -> dict[str, Ed25519PublicKey]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return {key_id: key.public_key() if isinstance(key, Ed25519PrivateKey) else key for key_id, key in keys.items()}


def _raw(ring: KeyRing) -> dict[str, bytes]:
    return {key_id: key.public_bytes_raw() for key_id, key in ring.verifying.items()}


def _key(path: Path) -> Key:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

    if _KEY_ID.fullmatch(path.stem) is None:
        raise ValueError(f"{path}: the name of a key has only letters, digits, - and _")
    try:
        text = read_small_file(path, is_regular=True)
        key = load_pem_private_key(text, None) if b"PRIVATE KEY" in text else load_pem_public_key(text)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}; it has to be a file that the service's user may read") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(f"{path}: is no key in PEM without a passphrase; {_CURE}") from None
    if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        raise ValueError(f"{path}: is no Ed25519 key; {_CURE}")  # noqa: TRY004 the file is wrong, not a type
    return key
