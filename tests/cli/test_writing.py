"""How packages are replaced: all of them or none, and what a run leaves behind never blocks the next."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_entries import entries
from tests.support.privileges import OWNERS, PERMISSIONS, respecting
from tests.support.program import COMMAND, Sqlwright, environment, tree
from tests.support.small_project import USERS, declare, write_files

pytestmark = pytest.mark.programs

UNSHARE = shutil.which("unshare")
PACKAGE = Path("generated/app_db")
CHANGED = declare({"queries/users.sql": USERS.replace("SELECT name FROM", "SELECT upper(name) AS name FROM")})
THREE = declare({"sqlc.yaml": entries("generated/a", "generated/b", "generated/c")})
FOUR = declare({"sqlc.yaml": entries("generated/a", "generated/b", "generated/new/package", "generated/c"), **CHANGED})


@pytest.mark.parametrize("files", [pytest.param(("users.py",), id="one file"), pytest.param(("users.py", "models.py"), id="the folder")])
def test_a_read_only_package_is_an_error_until_it_is_writable(project: Path, sqlwright: Sqlwright, files: tuple[str, ...]) -> None:
    sqlwright("generate")
    folder = project / PACKAGE
    new = tree(folder)
    for name in files:
        (folder / name).write_text(f"{new[name]}# edited\n", encoding="utf-8")
    old = tree(folder)
    folder.chmod(0o555)
    with respecting(PERMISSIONS):
        done = sqlwright("generate")
        assert done.err == (
            f"error: cannot use {folder}: Permission denied\n  help: make the folder writable, or change `out` in sqlc.yaml.\n"
            "\n1 error; nothing was written.\n"
        )
        assert (tree(folder), list(folder.parent.iterdir())) == (old, [folder])
        folder.chmod(0o755)
        assert sqlwright("generate").code == 0
    assert tree(folder) == new


def test_what_an_earlier_run_left_is_removed_whatever_its_permissions(project: Path, sqlwright: Sqlwright) -> None:
    sqlwright("generate")
    (project / PACKAGE / "users.py").unlink()
    left = project / "generated/.app_db.new"
    (left / "aio").mkdir(parents=True)
    (left / "aio/users.py").touch()
    (left / "aio").chmod(0o000)
    left.chmod(0o555)
    with respecting(PERMISSIONS):
        assert sqlwright("generate").code == 0
    assert list(left.parent.iterdir()) == [project / PACKAGE]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_packages_that_were_replaced_are_restored_when_a_later_one_cannot_be(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, THREE)
    assert sqlwright("generate").code == 0
    generated = project / "generated"
    # a is exchanged as a folder, b file by file, the new package is created, and then c has a file that only its owner may replace.
    (generated / "a/models.py").write_text((generated / "a/models.py").read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    for name in ("b", "c"):
        (generated / name / "mine.py").touch()
    (generated / "b/old.py").write_text((generated / "b/users.py").read_text(encoding="utf-8"), encoding="utf-8")
    for path in (generated / "c", generated / "c/users.py"):
        os.chown(path, 1234, 1234)
    (generated / "c").chmod(0o1777)
    before = tree(generated)
    write_files(project, FOUR)
    with respecting(OWNERS):
        done = sqlwright("generate")
    assert done.code == 1
    assert done.err.startswith(f"error: cannot use {generated}/c/users.py: Operation not permitted\n")
    assert done.err.endswith("\n1 error; nothing was written.\n")
    assert tree(generated) == before
    assert sorted(path.name for path in generated.iterdir()) == ["a", "b", "c"]


@pytest.mark.skipif(
    UNSHARE is None or subprocess.run([UNSHARE, "--mount", "true"], capture_output=True, check=False).returncode != 0,
    reason="this user may not mount a folder (unshare --mount)",
)
def test_a_package_s_folder_may_be_a_mount_of_the_same_file_system(project: Path, proof_server: str) -> None:
    folder = project / PACKAGE
    folder.mkdir(parents=True)
    (project / "elsewhere").mkdir()
    assert UNSHARE
    mounted = [UNSHARE, "--mount", "sh", "-c", f'mount --bind elsewhere {PACKAGE} && exec "$@"', "sh", *COMMAND, "generate"]
    done = subprocess.run(
        mounted, cwd=project, env=environment({"SQLWRIGHT_DATABASE_URL": proof_server}), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"__init__.py", "users.py", "proofs.json"} <= tree(project / "elsewhere").keys()
    assert not (folder.parent / ".app_db.new").exists()
