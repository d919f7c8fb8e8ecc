"""The check that rendered files are Python."""

from __future__ import annotations

import ast
from functools import lru_cache

from sqlwright.ir import SourceFile


# Packages over the same schema have their models, enums and constraints in common.
@lru_cache(maxsize=32)
def check_syntax(file: SourceFile) -> None:
    """Parse a generated file if it is a Python file.

    Raises:
        AssertionError: it is not Python, which is a bug of the compiler.
    """
    if not file.path.endswith(".py"):
        return
    try:
        ast.parse(file.text, file.path)
    except SyntaxError as error:
        msg = f"sqlwright wrote {file.path}, line {error.lineno}, that is not Python: {error.msg}"
        raise AssertionError(msg) from error
