"""The sources of settings: `.env` and the environment. Each value has its place; unknown names are reported."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource

from shop.infrastructure.small_files import read_small_file

_PREFIX = "SHOP_"
_VARIABLES = ".env"

# Kubernetes and Docker set these for every service, also for one called `shop` or `redis`.
_INJECTED = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP)\w*)|.*_PORT")
_INJECTED_VALUE = re.compile(r"(tcp|udp|sctp)://.*")
_PARTS = re.compile(
    r"(?P<what>DATABASE|DB|REDIS|NATS)_"
    r"(HOST|HOSTNAME|PORT|USER|USERNAME|PASS|PASSWORD|NAME|DB|DBNAME|DATABASE|TOKEN|SERVER|SERVERS|SSLMODE|URL|URI|DSN)"
)
_URL_OF = {"DATABASE": "database_url", "DB": "database_url", "REDIS": "redis_url", "NATS": "nats_url"}


class UnreadableSource(Exception):
    """A file that cannot be read. The message says which, where and why."""


@dataclass(frozen=True, slots=True)
class RawSetting:
    """A value with its `name` as written, as in `pool.max_size`, and its `source`, as in `shop.yaml:3`."""

    name: str
    value: object
    source: str

    def __str__(self) -> str:
        return f"{self.name} {'on' if self.source == 'command line' else 'in'} {_ARTICLES.get(self.source, '')}{self.source}"


_ARTICLES = {"environment": "the ", "command line": "the "}


def variable_of(key: str) -> str:
    """Return the environment variable of a setting: URLs have their conventional names, all others the prefix SHOP_."""
    return key.upper() if key.endswith("_url") else f"{_PREFIX}{key.upper()}"


def left_over(source: EnvSettingsSource, name: str, secrets: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the variables that look like settings but are not. Variables of other programs are no error.

    Each is a message, with the key of the URL if the variable is one part of a URL, which other programs read and this one does not.
    """
    known = [*(variable_of(key) for key in source.settings_cls.model_fields), *(f"{variable_of(key)}_FILE" for key in secrets)]
    for lower, value in source.env_vars.items():
        variable = RawSetting(lower.upper(), value, name)
        is_injected = _INJECTED.fullmatch(variable.name) and (not variable.name.endswith("_PORT") or _INJECTED_VALUE.fullmatch(value or ""))
        if variable.name in known or is_injected:
            continue
        if variable.name.startswith(_PREFIX):
            yield f"{variable}: there is no such setting{suggestion(variable.name, known)}", None
        elif part := _PARTS.fullmatch(variable.name):
            url = _URL_OF[part["what"]]
            yield f"{variable}: is not read; set {variable_of(url)} instead", url


class DotenvSource(DotEnvSettingsSource):
    """An optional file of variables. `problems` lists the lines that are none, and `unread` the settings named in them.

    Raises `UnreadableSource`.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        """Read the file."""
        self.problems: list[str] = []
        self.unread = set[str]()
        super().__init__(settings_cls, env_file=_VARIABLES)

    def _read_env_files(self) -> Mapping[str, str | None]:
        # The base class ignores a folder or a broken link; here, a file that exists and cannot be read is an error.
        path = Path(str(self.env_file))
        return self._read_env_file(path) if os.path.lexists(path) else {}

    def _read_env_file(self, file_path: Path) -> Mapping[str, str | None]:
        valid: list[str] = []
        for binding in parse_stream(StringIO(text_of(file_path))):
            written = binding.original.string
            if not binding.error:
                valid.append(written)
                continue
            line = binding.original.line + written[: len(written) - len(written.lstrip())].count("\n")
            self.problems.append(f"{file_path}:{line}: is not of the form NAME=value")
            self.unread |= {key for key in self.settings_cls.model_fields if variable_of(key) in written.upper()}
        # A name without a value is an error, not an absent setting.
        return {name.lower(): value or "" for name, value in dotenv_values(stream=StringIO("".join(valid))).items()}


def text_of(path: Path) -> str:
    """Return the text of a file of settings. Raises `UnreadableSource`."""
    try:
        return read_small_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableSource(f"{path}: cannot be read: byte {error.start + 1} is not UTF-8") from None
    except OSError as error:
        raise UnreadableSource(f"{path}: cannot be read: {error.strerror}") from None


def suggestion(name: str, known: Collection[str]) -> str:
    """Return a suggestion of the most similar known name, or nothing."""
    [closest, *_] = [*difflib.get_close_matches(name, known, n=1, cutoff=0.7), ""]
    return f"; did you mean {closest}?" if closest else ""
