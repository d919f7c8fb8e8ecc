"""Where settings are written: a YAML file, `.env`, the environment. Each value comes with its place, and what nobody reads is reported."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from dotenv import dotenv_values

PREFIX = "SHOP_"

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


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of a URL in a variable of its own, which other programs read and this one does not: `instead` names the key that it reads."""

    given: Given
    instead: str


def variable_of(key: str) -> str:
    """Return the environment variable of a setting: the URLs have the names that every tool knows, and the others begin with SHOP_."""
    return key.upper() if key.endswith("_url") else f"{PREFIX}{key.upper()}"


@dataclass(frozen=True, slots=True)
class Variables:
    """Settings among variables, by key; problems; and parts of URLs that are not read."""

    given: Mapping[str, Given]
    problems: tuple[str, ...]
    unread: tuple[Unread, ...]


def from_variables(variables: Mapping[str, str], source: str, keys: Collection[str]) -> Variables:
    """Find the settings among variables, whatever their case. Others' variables are no mistake, but a SHOP_ that is unknown is one."""
    known = {variable_of(key): key for key in keys}
    given: dict[str, Given] = {}
    problems: list[str] = []
    unread: list[Unread] = []
    for name, value in variables.items():
        upper = name.upper()
        found = Given(name, value, source)
        if upper in known:
            given[known[upper]] = found
        elif _INJECTED.fullmatch(upper) and (not upper.endswith("_PORT") or _INJECTED_VALUE.fullmatch(value)):
            continue
        elif upper.startswith(PREFIX):
            problems.append(f"{found}: there is no such setting{suggestion(upper, known)}")
        elif part := _PARTS.fullmatch(upper):
            unread.append(Unread(found, _URL_OF[part["what"]]))
    return Variables(given, tuple(problems), tuple(unread))


def read_dotenv(path: Path) -> dict[str, str]:
    """Read a file of variables, which need not be there. Raises `UnreadableSource`."""
    if not path.exists():
        return {}
    try:
        return {name: value or "" for name, value in dotenv_values(path, encoding="utf-8").items()}
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableSource(f"{path}: cannot be read: {_reason(error)}") from None


def read_yaml(path: Path) -> tuple[dict[str, Given], list[str]]:
    """Read a file of settings, in which `pool: {max_size: 5}` is `pool_max_size: 5`, and what it says twice. Raises `UnreadableSource`."""
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableSource(f"{path}: cannot be read: {_reason(error)}") from None
    except yaml.YAMLError:
        raise UnreadableSource(f"{path}: holds a control character") from None
    try:
        root = loader.get_single_node()
        if root is None:
            return {}, []
        if not isinstance(root, yaml.MappingNode):
            raise UnreadableSource(f"{path}: is not a mapping of keys to values")
        found = list(_flat(loader, root, path, ()))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise UnreadableSource(f"{place}: is not YAML") from None
    except (ValueError, RecursionError):
        # A date that is none, or brackets without end.
        raise UnreadableSource(f"{path}: is not YAML") from None
    given: dict[str, Given] = {}
    problems: list[str] = []
    for key, each in found:
        if key in given:
            problems.append(f"{each}: is set by {given[key]} already")
        given[key] = each
    return given, problems


def _flat(loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path, above: tuple[str, ...]) -> Iterator[tuple[str, Given]]:
    loader.flatten_mapping(node)
    for key_node, value_node in node.value:
        names = (*above, str(_value(loader, key_node)))
        place = f"{path}:{key_node.start_mark.line + 1}"
        # A mapping may hold itself, by an alias.
        if isinstance(value_node, yaml.MappingNode) and len(names) < _YAML_DEPTH:
            yield from _flat(loader, value_node, path, names)
        else:
            yield "_".join(names), Given(".".join(names), _value(loader, value_node), place)


def _value(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    return loader.construct_object(node, deep=True)  # pyright: ignore[reportUnknownMemberType] the stubs leave the node open


def suggestion(name: str, known: Collection[str]) -> str:
    """Return a question after the known name that is closest, or nothing."""
    [closest, *_] = [*difflib.get_close_matches(name, known, n=1, cutoff=0.7), ""]
    return f"; did you mean {closest}?" if closest else ""


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return f"byte {error.start + 1} is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error.strerror)
