"""Commands whose modules are imported when they are called: no call needs all of them, and importing them takes longer than most calls."""

from __future__ import annotations

from functools import cached_property
from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperCommand


class Deferred(TyperCommand):
    """A command or a group of commands, of which only the name and the first paragraph of the help are known until it is called.

    The first place is that of its function or of its `typer.Typer`; others are those of further commands of the group.
    """

    def __init__(self, name: str, help_text: str, *places: str) -> None:
        super().__init__(name, help=help_text)
        self._places = places

    @cached_property
    def loaded(self) -> Any:
        """The command itself, of one of the classes of typer."""
        first, *others = map(resolve_name, self._places)
        holder = typer.Typer()
        if isinstance(first, typer.Typer):
            holder.add_typer(first, name=self.name)
        else:
            holder.command(self.name)(first)
        command: Any
        (command,) = typer.main.get_group(holder).commands.values()
        for other in others:
            for each in typer.main.get_group(other).commands.values():
                command.add_command(each)
        return command

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return the context of the command itself, by which typer runs or completes it."""
        return self.loaded.make_context(info_name, args, parent=parent, **extra)
