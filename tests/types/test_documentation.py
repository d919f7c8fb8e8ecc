"""The documentation of types and options says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from sqlwright import ir
from sqlwright.options import Options, read_options
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.values import Values
from sqlwright.types.pgtypes import NOTES, builtin, names, names_of_extensions, of_extension

_DOCS = Path(__file__).parents[2] / "docs"
_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of table -->)", re.DOTALL)


def table() -> str:
    """The table of types, as the code has it."""
    values = Values(ModuleBuilder(header="", doc="", taken=()), ir.Package((), (), (), ()), root=".", json_alias="JsonValue")
    rows = [(name, "", builtin(name)) for name in names()]
    rows += [(name, f"extension {extension}", of_extension(extension, name, name)) for extension, name in names_of_extensions()]
    lines = ["| PostgreSQL | Python | |", "|---|---|---|"]
    for name, origin, found in rows:
        assert found is not None
        note = "; ".join(part for part in (origin, NOTES.get(name, "")) if part)
        lines.append(f"| {name} | `{values.annotation(found).replace('|', chr(92) + '|')}` | {note} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_types_is_the_codes(rewrite_golden: bool) -> None:
    file = _DOCS / "types.md"
    text = file.read_text(encoding="utf-8")
    if rewrite_golden:
        text = _TABLE.sub(lambda _: table(), text)
        file.write_text(text, encoding="utf-8")
    found = _TABLE.search(text)
    assert found is not None
    assert found[0] == table(), "run: pytest tests/types/test_documentation.py --rewrite-golden"


def test_every_note_is_of_a_type() -> None:
    assert NOTES.keys() <= {*names(), *(name for _, name in names_of_extensions())}


def test_every_option_is_documented() -> None:
    documented = re.findall(r"^## `(\w+)`$", (_DOCS / "options.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert documented == sorted(field.alias or name for name, field in Options.model_fields.items())


_EXAMPLES = [
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(options:.*?)```", (_DOCS / "options.md").read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: "-".join(example["options"]))
def test_every_example_of_an_option_is_accepted(example: dict[str, object]) -> None:
    read_options(json.dumps(example["options"]).encode(), out="shop_db")
