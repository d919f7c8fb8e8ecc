"""Commands whose output cannot be written, and Ctrl-C before they begin and after their work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support.waiting import wait_until

pytestmark = pytest.mark.programs

SHOP = f"{sys.executable} -m shop.cli"


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of bash, whose exit status is the one of the first command of a pipe."""
    # Which would write at once what is flushed at the end otherwise.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | environment
    command = ["/bin/bash", "-c", f"set -o pipefail; {script}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("is_json", [False, True], ids=["table", "json"])
def test_a_command_whose_output_cannot_be_written_says_that_it_was_carried_out(service_url: str, *, is_json: bool) -> None:
    registered = "users register --first Ada --last Lovelace --password-stdin --email"
    option = "--json" if is_json else ""
    cheap = {"SHOP_PASSWORD_MEMORY_KIB": "8", "SHOP_PASSWORD_PASSES": "1", "SHOP_PASSWORD_LANES": "1", "DATABASE_URL": service_url}
    # The reader of the pipe has gone when the command writes: it is the end of a process that has been waited for.
    ways = {">&-": 74, ">/dev/full": 74, "> >(exec true)": 128 + signal.SIGPIPE}
    for number, (way, expected) in enumerate(ways.items()):
        command = f"{SHOP} {option} {registered} ada{number}@example.org"
        ran = shell(f"echo correct horse | {command} {way}", **cheap)
        assert (way, ran.returncode) == (way, expected), ran.stderr
        said = "shop: the command was carried out, but its output cannot be written: "
        assert [line.startswith(said) for line in ran.stderr.splitlines()] == ([True] if expected == 74 else []), ran.stderr
    with psycopg.connect(service_url) as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (len(ways),)


def test_a_problem_that_cannot_be_written_keeps_its_status(service_url: str) -> None:
    ran = shell(f"{SHOP} --json users show {'0' * 32} >/dev/full", DATABASE_URL=service_url)
    assert (ran.returncode, ran.stderr.startswith("shop: "), "Traceback" in ran.stderr) == (1, True, False)


@pytest.mark.parametrize("command", ["--help", "users --help"])
def test_a_help_text_that_cannot_be_written_is_said_in_one_line(command: str) -> None:
    for way, reason in ((">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")):
        ran = shell(f"{SHOP} {command} {way}")
        assert (ran.returncode, ran.stderr) == (74, f"shop: the output cannot be written: {reason}\n")
    # A background process of a shell may ignore both signals.
    for ignored in ("", "trap '' INT PIPE; "):
        assert shell(f"{ignored}{SHOP} {command} > >(exec true)").returncode == 128 + signal.SIGPIPE


def test_a_help_text_that_a_full_pipe_does_not_accept_is_said_in_one_line() -> None:
    receiving, sending = os.pipe()
    with os.fdopen(receiving, "rb"), os.fdopen(sending, "wb", buffering=0) as stdout:
        os.set_blocking(sending, False)
        while stdout.write(bytes(4096)) is not None:
            pass
        ran = subprocess.run([*SHOP.split(), "--help"], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (74, "shop: the output cannot be written: Resource temporarily unavailable\n")


def test_a_command_that_writes_nothing_to_stdout_needs_none(service_url: str) -> None:
    with subprocess.Popen(
        ["/bin/bash", "-c", f"exec {SHOP} serve --port 0 >&-"],
        env={**os.environ, "DATABASE_URL": service_url, "SHOP_HTTP_DRAIN": "0"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("serving on" in line for line in process.stderr)
        process.terminate()
        assert (process.stderr.read().count("cannot be written"), process.wait(60)) == (0, 0)


@pytest.mark.parametrize("way", [">&-", ">/dev/full"])
def test_wrong_usage_that_stdout_cannot_have_is_said_on_stderr(way: str) -> None:
    for wrong, said in (("--json users nope", "shop: No such command 'nope'.\n"), ("--json $'\\xff'", "shop: argument 2 is not UTF-8\n")):
        ran = shell(f"{SHOP} {wrong} {way}")
        assert (wrong, ran.returncode, ran.stderr) == (wrong, 2, said)
    assert [shell(f"{SHOP} {wrong} {way}").returncode for wrong in ("", "users", "users nope", "orders list")] == [2] * 4


@pytest.mark.parametrize("is_json", [False, True], ids=["text", "json"])
def test_a_command_whose_module_cannot_be_read_is_a_defect(*, is_json: bool) -> None:
    # A file of the program that a broken disk does not return.
    program = """
import importlib.abc, sys
class Broken(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "shop.cli.commands.users":
            raise OSError(5, "Input/output error")
sys.meta_path.insert(0, Broken())
from shop.cli import main
main()
"""
    arguments = [*(["--json"] if is_json else []), "users", "count"]
    ran = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    detail = "OSError: a defect in the program; see the log"
    assert (ran.returncode, "Input/output error" in ran.stderr) == (70, True)
    assert json.loads(ran.stdout)["detail"] == detail if is_json else ran.stderr.endswith(f"shop: {detail}\n")


@pytest.mark.parametrize("way", ["2>&-", "2>/dev/full", "2> >(exec true)"], ids=["closed", "full", "no reader"])
def test_without_stderr_a_command_does_the_same(database_url: str, service_url: str, way: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO outbox (aggregate, event_type, payload, trace_id, occurred_at, published_at)"
            " SELECT 'order:' || gen_random_uuid(), 'OrderShipped', '{}', 't', now() - interval '40 d', now() - interval '40 d'"
            " FROM generate_series(1, 3)"
        )
        # Warnings of the settings, logs, progress and problems are for stderr.
        for command, expected in (("prune", 0), ("seed 2", 0), ("users count", 0), (f"users show {'0' * 32}", 1)):
            # A pipe has no reader once the process at its other end has been waited for.
            ran = shell(f"{SHOP} {command} {way}", DATABASE_URL=service_url)
            assert (command, ran.returncode, bool(ran.stdout)) == (command, expected, expected == 0)
        assert conn.execute("SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM users)").fetchone() == (0, 2)


@pytest.mark.parametrize("way", ["2>&-", "2>/dev/full"])
def test_wrong_usage_that_cannot_be_said_keeps_its_status(way: str) -> None:
    assert [shell(f"{SHOP} {wrong} {way}").returncode for wrong in ("orders list", "roles grant ada admin", "$'\\xff'")] == [2, 2, 2]


def test_a_closed_stdin_is_a_usage_problem(service_url: str) -> None:
    ran = shell(f"{SHOP} --json users login ada@example.org --password-stdin <&-", DATABASE_URL=service_url)
    assert (ran.returncode, json.loads(ran.stdout)["detail"]) == (2, "stdin is closed")


@pytest.mark.parametrize("is_json", [False, True], ids=["text", "json"])
def test_ctrl_c_during_the_imports_is_no_traceback(tmp_path: Path, *, is_json: bool) -> None:
    # A module that the program imports, and that takes long.
    (tmp_path / "psycopg.py").write_text("import pathlib, time\npathlib.Path(__file__).with_suffix('.begun').touch()\ntime.sleep(60)\n")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "shop.cli", *(["--json"] if is_json else []), "users", "count"],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    wait_until((tmp_path / "psycopg.begun").exists, "the module is not imported")
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    message = "stopped by Ctrl-C; what was already committed is kept"
    assert (process.returncode, errors) == (130, "" if is_json else f"shop: {message}\n")
    assert not is_json or json.loads(out)["detail"] == message


# The program, with Ctrl-C before and after each write to stdout, and while the interpreter ends.
INTERRUPTED_OUTPUT = """
import io, os, signal, sys
class Interrupting(io.TextIOWrapper):
    def write(self, text):
        os.kill(os.getpid(), signal.SIGINT)
        written = super().write(text)
        os.kill(os.getpid(), signal.SIGINT)
        return written
sys.stdout = Interrupting(io.FileIO(1, "w"), write_through=True)
class Last:
    def __del__(self, kill=os.kill, arguments=(os.getpid(), signal.SIGINT)):
        kill(*arguments)
last = Last()
from shop.cli import main
main()
"""


@pytest.mark.parametrize("is_json", [False, True], ids=["text", "json"])
def test_ctrl_c_after_the_work_of_a_command_changes_nothing(service_url: str, *, is_json: bool) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ran = subprocess.run(
            [sys.executable, "-c", INTERRUPTED_OUTPUT, *(["--json"] if is_json else []), "users", "count"],
            env={**os.environ, "DATABASE_URL": service_url},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert (ran.returncode, ran.stderr, "0" in ran.stdout) == (0, "", True)


def test_a_width_of_zero_is_none() -> None:
    for command in ("--help", "nonsense"):
        found, wanted = (shell(f"{unset}{SHOP} {command}", COLUMNS="0") for unset in ("", "unset COLUMNS; "))
        assert (found.stdout, found.stderr, found.returncode) == (wanted.stdout, wanted.stderr, wanted.returncode)
        assert found.stdout + found.stderr
