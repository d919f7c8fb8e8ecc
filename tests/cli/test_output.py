"""Output that cannot be written: one message and one exit status, whatever the command."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.program import COMMAND, Sqlwright, environment

LOST = "error: cannot write the output: "
CLOSED, FULL = (">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")
# Each command one way: to start sqlc takes long.
CASES = (
    ("--help", CLOSED),
    ("--help", FULL),
    ("--version", CLOSED),
    ("db --help", FULL),
    ("db url", CLOSED),
    ("db url", FULL),
    ("generate", FULL),
    ("generate --format json", CLOSED),
    ("check", FULL),
    ("check --format json", CLOSED),
    ("inspect", CLOSED),
    ("inspect", FULL),
    ("why GetUser", CLOSED),
    ("why GetUser --format json", CLOSED),
)


def shell(project: Path, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script of bash in the project, in which `sqlwright` is the program."""
    name = f'sqlwright() {{ "{COMMAND[0]}" -c "{COMMAND[2]}" "$@"; }}; set -o pipefail; {script}'
    return subprocess.run(
        ["/bin/bash", "-c", name],
        cwd=project,
        env=environment(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def environ(sqlwright: Sqlwright, proof_server: str) -> dict[str, str]:
    """Variables with which the commands succeed in the project, whose files are up to date."""
    assert sqlwright("generate").code == 0
    return {"SQLWRIGHT_DATABASE_URL": proof_server, "DATABASE_URL": "postgres://nobody@localhost/none"}


@pytest.mark.parametrize(("command", "way"), CASES)
def test_output_that_cannot_be_written_has_a_message_and_an_exit_status_of_its_own(
    project: Path, environ: dict[str, str], command: str, way: tuple[str, str]
) -> None:
    redirection, reason = way
    ran = shell(project, f"sqlwright {command} {redirection}", **environ)
    assert (ran.returncode, ran.stderr) == (74, f"{LOST}{reason}\n")


@pytest.mark.parametrize("command", ["--help", "inspect", "check"])
def test_a_reader_that_has_gone_ends_the_program_without_a_message(project: Path, environ: dict[str, str], command: str) -> None:
    ran = shell(project, f"sqlwright {command} > >(exec true)", **environ)
    assert (ran.returncode, ran.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("way", [">&-", ">/dev/full"])
def test_a_command_that_fails_keeps_its_status_and_says_that_its_output_is_lost(project: Path, way: str) -> None:
    ran = shell(project, f"sqlwright check --format json --config none.yaml {way}")
    assert (ran.returncode, ran.stderr.startswith(LOST), ran.stderr.count("\n")) == (1, True, 1)


@pytest.mark.parametrize("way", ["2>&-", "2>/dev/full"])
def test_a_message_that_cannot_be_written_changes_no_status(project: Path, environ: dict[str, str], way: str) -> None:
    assert [shell(project, f"sqlwright {command} {way}", **environ).returncode for command in ("check", "check --config no", "no")] == [
        0,
        1,
        2,
    ]


@pytest.mark.parametrize("width", ["0", "2147483648"])
def test_a_width_that_no_terminal_has_is_none(project: Path, width: str) -> None:
    for command in ("--help", "nonsense"):
        # So that a width that is taken for one does not use the memory of the machine.
        found, wanted = (
            shell(project, f"ulimit -v 4000000; {unset}sqlwright {command}", COLUMNS=width) for unset in ("", "unset COLUMNS; ")
        )
        assert (found.stdout, found.stderr, found.returncode) == (wanted.stdout, wanted.stderr, wanted.returncode)
        assert found.stdout + found.stderr
