"""The program `shop`, with the settings of a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import IO, Any

from typer.testing import CliRunner

from shop.cli import app

from .web import KEYS

# For passwords, whose hashes are slow by design, and for keys, since a warning says which are missing.
CHEAP = {
    "SHOP_PASSWORD_MEMORY_KIB": "8",
    "SHOP_PASSWORD_PASSES": "1",
    "SHOP_PASSWORD_LANES": "1",
    "SHOP_CURSOR_KEYS": "k" * 32,
    **{f"SHOP_{name.upper()}": value for name, value in KEYS.items()},
}

REGISTER = ("users", "register", "--first", "Ada", "--last", "Lovelace", "--email", "ada@example.org", "--password-stdin")
PASSWORD = "correct horse\n"


@dataclass
class Ran:
    """The result of a call."""

    returncode: int
    stdout: str
    stderr: str


class Program:
    """`shop` with the settings of a test: in this process, which is faster, or in a separate one."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def __call__(self, *arguments: str, stdin: str = "") -> Ran:
        result = CliRunner().invoke(app, list(arguments), input=stdin, env=CHEAP | self.environment, prog_name="shop")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    def json(self, *arguments: str, stdin: str = "", code: int = 0) -> dict[str, Any]:
        ran = self("--json", *arguments, stdin=stdin)
        assert (ran.returncode, ran.stderr) == (code, ""), ran.stdout + ran.stderr
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    def start(self, *arguments: str, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        command = [sys.executable, "-X", "utf8", "-m", "shop.cli", *arguments]
        environment = os.environ | CHEAP | self.environment
        # A background process of a shell ignores SIGINT, and its children inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, encoding="utf-8"
            )
        finally:
            signal.signal(signal.SIGINT, before)
