"""`shop`: the service on the command line.

Exit status: 0 done; 1 refused by a rule of the shop; 2 wrong usage; 69 database or broker unavailable; 70 defect in the program or the
schema; 74 stdout cannot be written, but the command was carried out; 75 a retry may succeed, check first; 78 invalid settings; 130 stopped
by Ctrl-C.
"""

from __future__ import annotations

# First, since the other imports take a while.
from shop.cli import interruption, starting  # isort: split

import logging
import sys
import uuid
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from shop.cli import streams
from shop.cli.commands import Commands
from shop.cli.output import ExitCode, Output, Problem, defect, unwritten
from shop.cli.running import Session, parse_pairs, parse_uuid
from shop.domain.values import UserId

app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help="Users and their orders.")
# Until `main` begins, for those who import this module.
interruption.end()
starting.end()


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


def main() -> None:
    """Run the program. `--json` may be anywhere on the command line."""
    interruption.begin()
    starting.begin()
    starting.find_no_plugins()
    streams.prepare()
    status: str | int = ExitCode.DONE
    try:
        _run(sys.argv[1:])
    except SystemExit as ended:
        status = ended.code or ExitCode.DONE
    except Exception as error:
        # The work of a command handles its own: it is of a module that cannot be imported, for one.
        logging.getLogger("shop.cli").exception("defect in the program")
        Output(is_json="--json" in sys.argv).problem(defect(error))
        status = ExitCode.DEFECT
    failure = streams.flushed()
    starting.end()
    # Another status says more, and that of a result is decided.
    if status == ExitCode.DONE and failure is not None:
        status = unwritten("the output", failure)
    sys.exit(status)


def _run(arguments: list[str]) -> None:
    is_json = "--json" in arguments
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
