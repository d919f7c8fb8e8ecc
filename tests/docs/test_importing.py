"""The configuration of docs/files.md with which a generated package is imported, in a folder of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[2]
_PAGE = (_REPOSITORY / "docs" / "files.md").read_text(encoding="utf-8")
_APP = """\
import uuid

from app_db import users
from psycopg import AsyncConnection


async def name(conn: AsyncConnection, user_id: uuid.UUID) -> str | None:
    user = await users.get_user(conn, id=user_id)
    return None if user is None else user.first_name
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    [configuration, _] = re.findall(r"```toml\n(.*?)```", _PAGE.partition("\n## Importing the package\n")[2], re.DOTALL)
    shutil.copytree(_REPOSITORY / "generated" / "shop_db", tmp_path / "generated" / "app_db")
    (tmp_path / "pyproject.toml").write_text(configuration, encoding="utf-8")
    (tmp_path / "app.py").write_text(_APP, encoding="utf-8")
    (tmp_path / "test_app.py").write_text("import app_db\n\n\ndef test() -> None:\n    assert app_db.__file__\n", encoding="utf-8")
    return tmp_path


@pytest.mark.checkers
@pytest.mark.parametrize(
    "arguments",
    [["mypy", "--strict", "app.py"], ["pyright", "--pythonpath", sys.executable, "app.py"], ["pytest", "-q", "test_app.py"]],
    ids=lambda a: a[0],
)
def test_type_checkers_and_pytest_find_the_package(folder: Path, arguments: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (folder / "pyproject.toml").unlink()
    assert subprocess.run([sys.executable, "-m", *arguments], cwd=folder, capture_output=True, check=False).returncode != 0
