"""`shop`: the service on the command line.

Exit status: 0 done; 1 refused by a rule of the shop; 2 wrong usage; 69 database or broker unavailable; 70 defect in the program or the
schema; 74 stdout cannot be written, but the command was carried out; 75 a retry may succeed, check first; 78 invalid settings; 130 stopped
by Ctrl-C.
"""

from __future__ import annotations

# First, since the other imports take a while.
from shop.cli import interruption  # isort: split

import os
import sys
import uuid
from io import BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from shop.cli.commands import Commands
from shop.cli.output import ExitCode, Output, Problem, unwritten
from shop.cli.running import Session, parse_pairs, parse_uuid
from shop.domain.values import UserId

app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help="Users and their orders.")
# Until `main` begins, for those who import this module.
interruption.end()


def _file(text: str) -> Path:
    if not text:
        raise typer.BadParameter("the name of the file is empty")
    return Path(text)


@app.callback()
def options(
    context: typer.Context,
    is_json: Annotated[bool, typer.Option("--json", help="Write JSON; errors are problem objects (RFC 9457).")] = False,
    config: Annotated[
        Path | None, typer.Option(parser=_file, metavar="FILE", help="YAML file with settings; by default shop.yaml, if it exists.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; `config show` lists them.")
    ] = None,
    acting_user: Annotated[
        uuid.UUID | None,
        typer.Option("--as", parser=parse_uuid, metavar="USER", help="The administrator in whose name to act; by default the operator."),
    ] = None,
) -> None:
    """Users and their orders."""
    user_id = None if acting_user is None else UserId(acting_user)
    context.obj = Session(Output(is_json=is_json), config, parse_pairs(settings or []), user_id)


class _Unfailing(FileIO):
    """A file that loses what cannot be written. Notes, logs and progress go to stderr, and without them a command does the same."""

    def write(self, data: Any, /) -> int:
        """Write, and return the number of bytes."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def main() -> None:
    """Run the program. `--json` may be anywhere on the command line."""
    interruption.begin()
    # A missing standard stream would be the first socket that is opened.
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    # Unless a caller has replaced it. It is None if it was closed.
    if sys.stderr is sys.__stderr__:
        encoding = getattr(sys.stderr, "encoding", "utf-8")
        sys.stderr = TextIOWrapper(BufferedWriter(_Unfailing(2, "w", closefd=False)), encoding, line_buffering=True)
    try:
        _run(sys.argv[1:])
    except OSError as error:
        # Of a help text: commands handle their errors, and stderr has none.
        sys.exit(unwritten(f"the output cannot be written: {error.strerror}"))


def _run(arguments: list[str]) -> None:
    is_json = "--json" in arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Where the terminal cannot encode a character, write it escaped.
            stream.reconfigure(errors="backslashreplace")
    for number, argument in enumerate(arguments, start=1):
        # Python decodes invalid bytes to lone surrogates.
        if any("\ud800" <= character <= "\udfff" for character in argument):
            sys.exit(_misused(f"argument {number} is not UTF-8", is_json=is_json))
    if not is_json:
        app(args=arguments, prog_name="shop")
    arguments = ["--json", *(argument for argument in arguments if argument != "--json")]
    try:
        sys.exit(app(args=arguments, prog_name="shop", standalone_mode=False))
    except TyperException as error:
        sys.exit(_misused(error.format_message(), is_json=True))


def _misused(detail: str, *, is_json: bool) -> ExitCode:
    Output(is_json=is_json).problem(Problem("usage", "Usage", 400, detail, ExitCode.USAGE))
    return ExitCode.USAGE
