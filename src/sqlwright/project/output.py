"""The output folder: which files may be replaced. A file without our header is the user's and is never overwritten."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlwright.diagnostics import Code, CompileError, Diagnostic, Place
from sqlwright.ir import SourceFile
from sqlwright.render.header import is_generated


def refuse_foreign_files(out: Path, files: Iterable[SourceFile]) -> None:
    """Raise when writing would overwrite a file that we did not write.

    Raises:
        CompileError: one error for each such file.
    """
    foreign = [out / file.path for file in files if _is_foreign(out / file.path, file.path)]
    if foreign:
        raise CompileError(
            Diagnostic(
                Code.FOREIGN_FILE,
                f"{path} was not written by sqlwright and is not overwritten",
                Place(str(path)),
                help="move the file elsewhere or delete it, or change `out` in sqlc.yaml.",
            )
            for path in foreign
        )


def _is_foreign(path: Path, name: str) -> bool:
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    match Path(name).name:
        case "py.typed":
            return bool(text.strip())
        case "proofs.json":
            return not text.startswith('{\n"writer": "sqlwright ')
        case _:
            return not is_generated(text)
