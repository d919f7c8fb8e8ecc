"""The schema: the files that sqlc names, and the hash of their text."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from sqlwright.sources import expand_paths

_MIGRATE = re.compile(r"^\s*--\s*migrate:(?P<direction>up|down)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A file of the schema.

    `sql` is what is applied: of a dbmate migration the up section, everything else blanked, so that lines keep their numbers.
    """

    path: str
    sql: str
    text: str


@dataclass(frozen=True, slots=True)
class Schema:
    """All schema files in the order in which they apply, and the hash of what they do."""

    files: tuple[SchemaFile, ...]
    digest: str


def read_schema(project: Path, paths: tuple[str, ...]) -> Schema:
    """Read the files that sqlc's `schema:` setting names.

    Raises:
        FileNotFoundError: nothing is there under one of the paths.
    """
    files: list[SchemaFile] = []
    digest = hashlib.sha256()
    for path in expand_paths(project, paths):
        if path.name.endswith(".down.sql"):
            continue  # golang-migrate's way back; sqlc passes over it too
        text = path.read_text(encoding="utf-8")
        file = SchemaFile(path.relative_to(project).as_posix() if path.is_relative_to(project) else path.as_posix(), up_section(text), text)
        files.append(file)
        digest.update(f"{path.name}\0{file.sql}\0".encode())
    return Schema(tuple(files), digest.hexdigest())


def up_section(text: str) -> str:
    """Blank everything but the `-- migrate:up` section of a dbmate migration; other text is returned as it is."""
    lines = text.split("\n")
    marks = {number: match["direction"].lower() for number, line in enumerate(lines) if (match := _MIGRATE.match(line))}
    if "up" not in marks.values():
        return text
    direction = ""
    kept: list[str] = []
    for number, line in enumerate(lines):
        if number in marks:
            direction = marks[number]
            kept.append("")
        else:
            kept.append(line if direction == "up" else "")
    return "\n".join(kept).rstrip("\n") + "\n"
