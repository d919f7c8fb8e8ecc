"""Generated code as the user's tools see it: formatter, linter, type checkers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RunTool = Callable[..., str]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["format", "--isolated", "--diff"], id="the formatter's defaults"),
        pytest.param(["format", "--isolated", "--diff", "--target-version", "py313"], id="the formatter for Python 3.13"),
        pytest.param(["check", "--isolated"], id="the linter's default rules"),
        pytest.param(
            ["check", "--isolated", "--select", "B,C4,E,F,I,PIE,PYI,RET,RUF,SIM,UP,W", "--ignore", "E501"],
            id="many rules",
        ),
    ],
)
def test_ruff_has_nothing_to_say(rendered: Path, run_tool: RunTool, arguments: list[str]) -> None:
    output = run_tool(rendered, "ruff", *arguments, "--no-cache", ".")
    assert output.splitlines()[-1] == "exit 0", output


def test_mypy_strict_accepts_every_package(rendered: Path, run_tool: RunTool, tmp_path: Path) -> None:
    output = run_tool(rendered, "mypy", "--strict", "--python-version=3.11", "--config-file=", f"--cache-dir={tmp_path}", ".")
    assert output.splitlines()[-1] == "exit 0", output


def test_pyright_strict_accepts_every_package(rendered: Path, run_tool: RunTool) -> None:
    (rendered / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "pythonVersion": "3.11"}')
    output = run_tool(rendered, "pyright", "--pythonpath", sys.executable, ".")
    assert output.splitlines()[-1] == "exit 0", output
