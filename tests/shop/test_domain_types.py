"""The type checker rejects misuse of the domain's types."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
MISUSE = Path(__file__).parent / "refused" / "misuse_of_the_domain.py"


def test_mypy_refuses_every_marked_line_and_no_other(tmp_path: Path) -> None:
    marked = {
        (number, marker[1])
        for number, line in enumerate(MISUSE.read_text(encoding="utf-8").splitlines(), start=1)
        if (marker := re.search(r"# refused: ([a-z-]+)$", line))
    }
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--no-pretty", "--cache-dir", str(tmp_path), str(MISUSE)]
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert checked.stderr == ""
    found = re.findall(r"^.+:(\d+): error: .*\[([a-z-]+)\]$", checked.stdout, flags=re.MULTILINE)
    assert {(int(number), code) for number, code in found} == marked, checked.stdout
