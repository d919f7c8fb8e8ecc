"""The process plugin that sqlc runs: a request on stdin, only a response on stdout. Errors go to stderr, with exit code 1."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sqlwright.diagnostics import CompileError, format_diagnostic
from sqlwright.project.garbage import never_collected

if TYPE_CHECKING:
    from sqlwright.pipeline import Inputs
    from sqlwright.resolve.protocol import GenerateRequest


def main() -> None:
    """Answer one request."""
    with never_collected():
        _answer()


def _answer() -> None:
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
    from sqlwright.project.inputs import read_inputs_of
    from sqlwright.project.output import refuse_foreign_files
    from sqlwright.prove.sessions import open_sessions
    from sqlwright.render.syntax import check_syntax
    from sqlwright.resolve import protocol

    project = Path.cwd()
    with open_sessions(project, os.environ) as sessions:
        request = protocol.decode(data)
        inputs = read_inputs_of(project, request)
        _refuse_shared_output(project, request, inputs)
        compilation = compile_request(request, inputs, sessions)
        for file in compilation.files:
            check_syntax(file)
        refuse_foreign_files(project / compilation.out, compilation.files)
        return protocol.encode(compilation.files)


def _refuse_shared_output(project: Path, request: GenerateRequest, inputs: Inputs) -> None:
    # sqlc runs a plugin for each entry. YAML is parsed only where the folder's name occurs twice.
    if inputs.config_text.count(Path(request.settings.codegen.out).name) > 1:
        from sqlwright.project.configuration import read_configuration, refuse_shared_outputs

        try:
            configuration = read_configuration(project / inputs.config_name)
        except CompileError:
            # sqlc was run with another file, or calls the plugin by another name.
            return
        refuse_shared_outputs(configuration)


def _capture(data: bytes, folder: str) -> bytes:
    """Store the request for the CLI under the name it passed as `out`."""
    from sqlwright.resolve import protocol

    request = protocol.decode(data)
    Path(folder, f"{request.settings.codegen.out}.json").write_bytes(data)
    return protocol.encode(())
