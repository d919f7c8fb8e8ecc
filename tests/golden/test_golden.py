"""Golden cases: a folder is a test.

`cases/<name>` holds a project (sqlc.yaml, schema, queries) and what `sqlwright generate` makes of it: the tree `expected/`, and in
`expected.stderr` its warnings, or its errors where it must fail; then nothing may be written. `pytest tests/golden --rewrite-golden` writes
them anew; read the diff before you commit it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sqlwright.cli.application import app

CASES = Path(__file__).parent / "cases"
OUT = "db"


def tree(folder: Path) -> dict[str, str]:
    """Every file under a folder with its text."""
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", sorted(case.name for case in CASES.iterdir()))
def test_case(name: str, tmp_path: Path, proof_server: str, rewrite_golden: bool) -> None:
    case = CASES / name
    project = tmp_path / name
    shutil.copytree(case, project, ignore=shutil.ignore_patterns("expected*"))
    result = CliRunner().invoke(app, ["generate", "--config", str(project / "sqlc.yaml")], env={"SQLWRIGHT_DATABASE_URL": proof_server})
    stderr = result.stderr.replace(f"{project}/", "").replace(str(project), ".")
    written = tree(project / OUT) if (project / OUT).is_dir() else {}
    if rewrite_golden:
        rewrite(case, written, stderr)
    if (case / "expected.stderr").exists():
        assert stderr == (case / "expected.stderr").read_text(encoding="utf-8")
    else:
        assert stderr == ""
    if name.startswith("error_"):
        assert result.exit_code == 1
        assert written == {}
    else:
        assert result.exit_code == 0, stderr
        assert written == tree(case / "expected")


def rewrite(case: Path, written: dict[str, str], stderr: str) -> None:
    """Make what was found the expectation."""
    shutil.rmtree(case / "expected", ignore_errors=True)
    (case / "expected.stderr").unlink(missing_ok=True)
    for path, text in written.items():
        file = case / "expected" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    if stderr:
        (case / "expected.stderr").write_text(stderr, encoding="utf-8")
