"""Options shared by several commands."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """The output format of a command: for people, or for programs."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="Text for people; one JSON document on stdout for programs.")]
ConfigOption = Annotated[Path, typer.Option("--config", "-f", help="sqlc's configuration. Paths in it are relative to its folder.")]
