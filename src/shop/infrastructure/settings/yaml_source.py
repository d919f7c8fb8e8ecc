"""The YAML file of settings. Imported if there is one, since importing the parser takes a while."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from pydantic_settings import YamlConfigSettingsSource
from yaml.reader import ReaderError

from shop.infrastructure.settings.sources import RawSetting, UnreadableSource, text_of

_DEPTH = 5


class YamlSource(YamlConfigSettingsSource):
    """A file in which `pool: {max_size: 5}` means `pool_max_size: 5`. Each value is a `RawSetting`; `problems` lists duplicate keys.

    Raises `UnreadableSource`.
    """

    problems: list[str]

    def _read_files(self, files: Any, *_: Any, **__: Any) -> dict[str, Any]:
        self.problems = []
        text = text_of(files)
        try:
            loader = yaml.SafeLoader(text)
            root = loader.get_single_node()
            if root is None or root.tag == "tag:yaml.org,2002:null":
                return {}
            if not isinstance(root, yaml.MappingNode):
                raise UnreadableSource(f"{files}: is not a mapping of keys to values")
            flat = list(_flat(loader, root, str(files), ()))
        except ReaderError:
            raise UnreadableSource(f"{files}: contains a control character") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{files}:{mark.line + 1}:{mark.column + 1}" if mark else str(files)
            raise UnreadableSource(f"{place}: is not YAML") from None
        except (ValueError, RecursionError):
            # An invalid date, or deeply nested brackets.
            raise UnreadableSource(f"{files}: is not YAML") from None
        raw: dict[str, RawSetting] = {}
        for key, each in flat:
            if key in raw:
                self.problems.append(f"{each}: is already set by {raw[key]}")
            raw[key] = each
        return raw


def _flat(loader: yaml.SafeLoader, node: yaml.MappingNode, path: str, above: tuple[str, ...]) -> Iterator[tuple[str, RawSetting]]:
    loader.flatten_mapping(node)
    for key_node, value_node in node.value:
        names = (*above, str(_value(loader, key_node)))
        # A mapping may contain itself, by an alias.
        if isinstance(value_node, yaml.MappingNode) and len(names) < _DEPTH:
            yield from _flat(loader, value_node, path, names)
        else:
            yield "_".join(names).lower(), RawSetting(".".join(names), _value(loader, value_node), f"{path}:{key_node.start_mark.line + 1}")


def _value(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    return loader.construct_object(node, deep=True)  # pyright: ignore[reportUnknownMemberType] the stubs leave the node untyped
