"""The protocol: what is not sqlc's request is refused in words, and responses are sorted."""

from __future__ import annotations

import base64
import json

import pytest

from sqlwright.diagnostics import CompileError
from sqlwright.ir import SourceFile
from sqlwright.resolve.protocol import decode, encode


@pytest.mark.parametrize("data", [b"", b"\x0a\x05hello", b"[]", b"{}", b'{"sqlc_version": "v1", "settings": {}}'])
def test_other_bytes_are_a_malformed_request(data: bytes) -> None:
    with pytest.raises(CompileError, match=r"malformed request(.|\n)*format: json"):
        decode(data)


def test_another_engine_is_refused() -> None:
    request = {"sqlc_version": "v1.31.1", "settings": {"engine": "sqlite", "codegen": {"out": "x"}}}
    with pytest.raises(CompileError, match='engine "sqlite" is not supported'):
        decode(json.dumps(request).encode())


def test_another_version_of_sqlc_is_refused() -> None:
    request = {"sqlc_version": "v1.30.0", "settings": {"engine": "postgresql", "codegen": {"out": "x"}}}
    with pytest.raises(CompileError, match=r"called by sqlc 1\.30\.0; sqlwright works with 1\.31\.1"):
        decode(json.dumps(request).encode())


def test_options_come_out_of_their_base64() -> None:
    options = base64.b64encode(b'{"clients": "async"}').decode()
    request = {"sqlc_version": "v1.31.1", "settings": {"engine": "postgresql", "codegen": {"out": "x"}}, "plugin_options": options}
    assert decode(json.dumps(request).encode()).plugin_options == b'{"clients": "async"}'


def test_files_are_sorted_by_path() -> None:
    response = json.loads(encode([SourceFile("b.py", "2"), SourceFile("a.py", "1é")]))
    assert [(f["name"], base64.b64decode(f["contents"]).decode()) for f in response["files"]] == [("a.py", "1é"), ("b.py", "2")]
