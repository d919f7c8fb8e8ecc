"""Golden cases: a folder is a test.

`cases/<name>` holds a project (sqlc.yaml, schema, queries) and what `sqlwright generate` makes of it: in `expected/` the files that the
case shows, in `expected.same` those that another case shows, and in `expected.stderr` its warnings, or its errors where it must fail; then
nothing may be written. `pytest tests/golden --rewrite-golden` rewrites all of them; read the diff before you commit it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.golden import NAMES, expected, generate
from tests.support.sqlc import Recordings


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, tmp_path: Path, proof_server: str, recordings: Recordings) -> None:
    found = generate(name, tmp_path, proof_server, recordings)
    wanted = expected(name)
    assert found.stderr == wanted.stderr
    assert found.code == wanted.code
    assert found.files == wanted.files
    assert bool(wanted.files) is not name.startswith("error_")
