"""Where settings are written: a YAML file, `.env`, the environment. Each value comes with its place, and what nobody reads is reported."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, YamlConfigSettingsSource
from yaml.reader import ReaderError

_PREFIX = "SHOP_"

# Kubernetes and Docker set these for every service, so one called `shop` or `redis` has them without anyone's doing.
_INJECTED = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP)\w*)|.*_PORT")
_INJECTED_VALUE = re.compile(r"(tcp|udp|sctp)://.*")
_PARTS = re.compile(
    r"(?P<what>DATABASE|DB|REDIS|NATS)_"
    r"(HOST|HOSTNAME|PORT|USER|USERNAME|PASS|PASSWORD|NAME|DB|DBNAME|DATABASE|TOKEN|SERVER|SERVERS|SSLMODE|URL|URI|DSN)"
)
_URL_OF = {"DATABASE": "database_url", "DB": "database_url", "REDIS": "redis_url", "NATS": "nats_url"}
_YAML_DEPTH = 5


class UnreadableSource(Exception):
    """A file that cannot be read. Says which, where and why."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was written: `name` as it stands there, as in `pool.max_size`, and `source` for people, as in `shop.yaml:3`."""

    name: str
    value: object
    source: str

    def __str__(self) -> str:
        return f"{self.name} {'on' if self.source == 'command line' else 'in'} {_ARTICLES.get(self.source, '')}{self.source}"


_ARTICLES = {"environment": "the ", "command line": "the "}


def variable_of(key: str) -> str:
    """Return the environment variable of a setting: the URLs have the names that every tool knows, and the others begin with SHOP_."""
    return key.upper() if key.endswith("_url") else f"{_PREFIX}{key.upper()}"


def left_over(source: EnvSettingsSource, name: str) -> Iterator[tuple[str, str | None]]:
    """Find the variables that look like settings and are none. Others' are no mistake.

    Each is a sentence, with the key of the URL where it is about a part of one, which other programs read and this one does not.
    """
    known = [variable_of(key) for key in source.settings_cls.model_fields]
    for lower, value in source.env_vars.items():
        found = Given(lower.upper(), value, name)
        is_injected = _INJECTED.fullmatch(found.name) and (not found.name.endswith("_PORT") or _INJECTED_VALUE.fullmatch(value or ""))
        if found.name in known or is_injected:
            continue
        if found.name.startswith(_PREFIX):
            yield f"{found}: there is no such setting{suggestion(found.name, known)}", None
        elif part := _PARTS.fullmatch(found.name):
            url = _URL_OF[part["what"]]
            yield f"{found}: is not read; {variable_of(url)} is", url


class DotenvSource(DotEnvSettingsSource):
    """A file of variables, which need not be there. Raises `UnreadableSource`."""

    def _read_env_file(self, file_path: Path) -> Mapping[str, str | None]:
        text = _text(file_path)
        for binding in parse_stream(StringIO(text)):
            if binding.error:
                before = binding.original.string
                line = binding.original.line + before[: len(before) - len(before.lstrip())].count("\n")
                # python-dotenv would go on without it, and without what it may have swallowed.
                raise UnreadableSource(f"{file_path}:{line}: is not of the form NAME=value")
        # A name without a value is wrong, and not absent.
        return {name.lower(): value or "" for name, value in dotenv_values(stream=StringIO(text)).items()}


class YamlSource(YamlConfigSettingsSource):
    """A file in which `pool: {max_size: 5}` is `pool_max_size: 5`. Each value is a `Given`; `problems` are those of keys that come twice.

    Raises `UnreadableSource`.
    """

    problems: list[str]

    def _read_files(self, files: Any, *_: Any, **__: Any) -> dict[str, Any]:
        text = _text(files)
        try:
            loader = yaml.SafeLoader(text)
            root = loader.get_single_node()
            if root is None:
                return {}
            if not isinstance(root, yaml.MappingNode):
                raise UnreadableSource(f"{files}: is not a mapping of keys to values")
            found = list(_flat(loader, root, str(files), ()))
        except ReaderError:
            raise UnreadableSource(f"{files}: holds a control character") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{files}:{mark.line + 1}:{mark.column + 1}" if mark else str(files)
            raise UnreadableSource(f"{place}: is not YAML") from None
        except (ValueError, RecursionError):
            # A date that is none, or brackets without end.
            raise UnreadableSource(f"{files}: is not YAML") from None
        given: dict[str, Given] = {}
        self.problems = []
        for key, each in found:
            if key in given:
                self.problems.append(f"{each}: is set by {given[key]} already")
            given[key] = each
        return given


def _flat(loader: yaml.SafeLoader, node: yaml.MappingNode, path: str, above: tuple[str, ...]) -> Iterator[tuple[str, Given]]:
    loader.flatten_mapping(node)
    for key_node, value_node in node.value:
        names = (*above, str(_value(loader, key_node)))
        # A mapping may hold itself, by an alias.
        if isinstance(value_node, yaml.MappingNode) and len(names) < _YAML_DEPTH:
            yield from _flat(loader, value_node, path, names)
        else:
            yield "_".join(names).lower(), Given(".".join(names), _value(loader, value_node), f"{path}:{key_node.start_mark.line + 1}")


def _value(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    return loader.construct_object(node, deep=True)  # pyright: ignore[reportUnknownMemberType] the stubs leave the node open


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableSource(f"{path}: cannot be read: byte {error.start + 1} is not UTF-8") from None
    except OSError as error:
        raise UnreadableSource(f"{path}: cannot be read: {error.strerror}") from None


def suggestion(name: str, known: Collection[str]) -> str:
    """Return a question after the known name that is closest, or nothing."""
    [closest, *_] = [*difflib.get_close_matches(name, known, n=1, cutoff=0.7), ""]
    return f"; did you mean {closest}?" if closest else ""
