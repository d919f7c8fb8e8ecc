"""The schema: the files that sqlc names, and the hash of their text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from sqlwright.sql.migrations import schema_text
from sqlwright.sql.sources import expand_paths, is_for_sqlc_only, read_text


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A file of the schema.

    `sql` is what is applied; everything else is blank, so that lines keep their numbers.
    """

    path: str
    sql: str
    text: str


@dataclass(frozen=True, slots=True)
class Schema:
    """All schema files in the order in which they apply, and the hash of what they do."""

    files: tuple[SchemaFile, ...]
    digest: str

    @property
    def paths(self) -> frozenset[str]:
        """The paths of the files."""
        return frozenset(file.path for file in self.files)


def read_schema(project: Path, paths: tuple[str, ...]) -> Schema:
    """Read the files that sqlc's `schema:` setting names.

    Raises:
        FileNotFoundError: nothing is there under one of the paths.
        CompileError: a file is not UTF-8.
    """
    files: list[SchemaFile] = []
    digest = hashlib.sha256()
    for path in expand_paths(project, paths):
        name = path.relative_to(project).as_posix() if path.is_relative_to(project) else path.as_posix()
        text = read_text(path, name)
        if is_for_sqlc_only(text):
            continue
        file = SchemaFile(name, schema_text(text), text)
        files.append(file)
        digest.update(f"{path.name}\0{file.sql}\0".encode())
    return Schema(tuple(files), digest.hexdigest())
