"""The process plugin that sqlc runs: a request on stdin, only a response on stdout. Errors go to stderr, with exit code 1."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sqlwright.diagnostics import CompileError, format_diagnostic
from sqlwright.resolve import protocol


def main() -> None:
    """Answer one request."""
    data = sys.stdin.buffer.read()
    try:
        response = _capture(data, capture) if (capture := os.environ.get("SQLWRIGHT_CAPTURE")) else _compile(data)
    except CompileError as error:
        sys.stderr.write("\n\n".join(format_diagnostic(diagnostic) for diagnostic in error.diagnostics) + "\n")
        sys.exit(1)
    sys.stdout.buffer.write(response)


def _compile(data: bytes) -> bytes:
    # Imported here because the CLI runs this program only to capture a request, which needs none of the compiler.
    from sqlwright.pipeline import compile_request
    from sqlwright.project.garbage import uncollected
    from sqlwright.project.inputs import read_inputs_of
    from sqlwright.project.output import refuse_foreign_files
    from sqlwright.prove.sessions import open_sessions
    from sqlwright.render.syntax import check_syntax

    project = Path.cwd()
    with uncollected(), open_sessions(project, os.environ) as sessions:
        request = protocol.decode(data)
        compilation = compile_request(request, read_inputs_of(project, request), sessions)
        for file in compilation.files:
            check_syntax(file)
        refuse_foreign_files(project / compilation.out, compilation.files)
        return protocol.encode(compilation.files)


def _capture(data: bytes, folder: str) -> bytes:
    """Store the request for the CLI under the name it passed as `out`."""
    request = protocol.decode(data)
    Path(folder, f"{request.settings.codegen.out}.json").write_bytes(data)
    return protocol.encode(())
