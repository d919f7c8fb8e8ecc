"""Loading of settings: defaults, then a YAML file, `.env`, the environment, the command line; each overrides those before it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource

from shop.infrastructure.settings.model import SECRETS, Settings
from shop.infrastructure.settings.sources import (
    DotenvSource,
    RawSetting,
    UnreadableSource,
    left_over,
    suggestion,
    variable_of,
)
from shop.infrastructure.small_files import read_small_file

DEFAULT_FILE = Path("shop.yaml")


class SettingsError(Exception):
    """Invalid settings: each problem is a message with the key and its source, and never its value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, the source of each that is not a default, and warnings about variables without effect."""

    settings: Settings
    sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def shown(self) -> list[tuple[str, str, str]]:
        """Return each key with its value without secrets and its source, in the order of definition."""
        rows: list[tuple[str, str, str]] = []
        for key in Settings.model_fields:
            value = getattr(self.settings, key)
            text = SECRETS[key](value.get_secret_value()) if isinstance(value, SecretStr) else "" if value is None else str(value)
            rows.append((key, text, self.sources.get(key, "default")))
        return rows


def load_settings(*, file: Path | None = None, overrides: Mapping[str, str] | None = None) -> LoadedSettings:
    """Load the settings. Raises `SettingsError` with all problems.

    Args:
        file: the YAML file, which must exist; by default `shop.yaml` in the working directory, if it exists.
        overrides: keys and values of the command line.
    """
    raw: dict[str, RawSetting] = {}
    problems: list[str] = []
    unreadable = set[str]()
    variables: dict[str, EnvSettingsSource] = {}
    try:
        if file is not None or os.path.lexists(DEFAULT_FILE):
            from shop.infrastructure.settings.yaml_source import YamlSource

            from_file = YamlSource(Settings, file or DEFAULT_FILE)
            raw, problems = from_file(), from_file.problems
    except UnreadableSource as error:
        problems.append(str(error))
        unreadable |= Settings.model_fields.keys()
    try:
        variables[".env"] = dotenv = DotenvSource(Settings)
        problems += dotenv.problems
        unreadable |= dotenv.unread
    except UnreadableSource as error:
        problems.append(str(error))
        unreadable |= Settings.model_fields.keys()
    variables["environment"] = EnvSettingsSource(Settings)
    for name, source in variables.items():
        direct = {key: RawSetting(variable_of(key), value, name) for key, value in source().items()}
        secret, problems_of_files, keys = _from_files(source, name, direct)
        raw |= direct | secret
        problems += problems_of_files
        unreadable |= keys
    raw |= {key.lower(): RawSetting(key, value, "command line") for key, value in (overrides or {}).items()}
    unread = [each for name, source in variables.items() for each in left_over(source, name, SECRETS)]
    # Without the URL, its parts were meant to define it.
    problems += [sentence for sentence, url in unread if url is None or url not in raw]
    fields = Settings.model_fields
    problems += [f"{each}: there is no such setting{suggestion(key, fields)}" for key, each in raw.items() if key not in fields]
    try:
        settings = Settings.model_validate({key: each.value for key, each in raw.items() if key in fields})
    except ValidationError as error:
        found = [(str(each["loc"][0]), each["type"], each["msg"]) for each in error.errors()]
        # What could not be read is set.
        problems += [_problem(key, kind, text, raw) for key, kind, text in found if kind != "missing" or key not in unreadable]
        raise SettingsError(problems) from None
    if problems:
        raise SettingsError(problems)
    return LoadedSettings(
        settings, {key: each.source for key, each in raw.items()}, tuple(sentence for sentence, url in unread if url is not None)
    )


def _from_files(
    source: EnvSettingsSource, name: str, direct: Mapping[str, RawSetting]
) -> tuple[dict[str, RawSetting], list[str], set[str]]:
    """Return the secrets whose variables name files with them, as in `DATABASE_URL_FILE`, problems, and the keys of what was not read."""
    found: dict[str, RawSetting] = {}
    problems: list[str] = []
    unread = set[str]()
    for key in SECRETS:
        path = source.env_vars.get(f"{variable_of(key)}_FILE".lower())
        if path is None:
            continue
        variable = RawSetting(f"{variable_of(key)}_FILE", path, name)
        if key in direct:
            problems.append(f"{variable}: {variable_of(key)} is set, too; remove one of them")
            continue
        if not path:
            problems.append(f"{variable}: is empty; write the name of a file into it, or remove it")
            unread.add(key)
            continue
        try:
            text = read_small_file(Path(path)).decode("utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{variable}: the file cannot be read: {error.strerror if isinstance(error, OSError) else 'it is not UTF-8'}")
            unread.add(key)
            continue
        if text:
            found[key] = RawSetting(variable.name, text, name)
        else:
            problems.append(f"{variable}: the file is empty; write the secret into it, or remove the variable")
            unread.add(key)
    return found, problems, unread


def _problem(key: str, kind: str, message: str, raw: Mapping[str, RawSetting]) -> str:
    if kind == "missing":
        return f"{key}: is not set; set {variable_of(key)} in the environment or in .env, or {key} in {DEFAULT_FILE}"
    return f"{raw.get(key, key)}: {message.removeprefix('Value error, ')}"
