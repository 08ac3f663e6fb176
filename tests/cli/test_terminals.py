"""What a terminal that lacks letters shows, and that an error is told once."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import NamedTuple

import pytest

from ostiary.cli import main

WHO = "visitor \u2192 \u00fc \U0001f427"


class Told(NamedTuple):
    """What a command wrote, as its terminal shows it."""

    code: object
    out: str
    err: str


@pytest.fixture
def on_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """Run a command line in an empty directory, on a terminal with this encoding."""
    monkeypatch.chdir(tmp_path)

    def run(encoding: str, *words: str) -> Told:
        out, err = (TextIOWrapper(BytesIO(), encoding=encoding, errors="strict") for _ in range(2))
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["ostiary", *words])
            patched.setattr(sys, "stdout", out)
            patched.setattr(sys, "stderr", err)
            with pytest.raises(SystemExit) as ended:
                main()
        return Told(ended.value.code, *(shown(stream, encoding) for stream in (out, err)))

    return run


def shown(stream: TextIOWrapper, encoding: str) -> str:
    stream.flush()
    assert isinstance(stream.buffer, BytesIO)
    return stream.buffer.getvalue().decode(encoding)


def token() -> str:
    parts = ({"alg": "ES256"}, {"sub": WHO})
    texts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{'.'.join(texts)}.c2ln"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", WHO),
        ("cp1252", "visitor \\u2192 \u00fc \\U0001f427"),
        ("ascii", "visitor \\u2192 \\xfc \\U0001f427"),
    ],
)
def test_a_letter_that_the_terminal_lacks_is_shown_by_its_number(
    on_terminal: Callable[..., Told], encoding: str, shown: str
) -> None:
    told = on_terminal(encoding, "explain", token())
    assert (told.code, told.err) == (0, "")
    assert f"who         {shown}" in told.out.splitlines()


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_json_is_json_on_every_terminal(on_terminal: Callable[..., Told], encoding: str) -> None:
    told = on_terminal(encoding, "explain", token(), "--json")
    assert json.loads(told.out)["claims"] == {"sub": WHO}


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_tables_and_sentences_of_errors_are_shown_on_every_terminal(
    on_terminal: Callable[..., Told], encoding: str
) -> None:
    Path("ostiary.yaml").write_text(
        'gateway: {allow_unauthenticated: true, servers: {zoo: {url: "http://127.0.0.1:9000/mcp"}}}'
    )
    table = on_terminal(encoding, "check")
    assert (table.code, table.err) == (0, "")
    assert "zoo" in table.out
    wrong = on_terminal(encoding, "check", "-c", "\u2192.yaml")
    assert wrong.code == 2
    assert wrong.err.startswith("\\u2192.yaml: there is no such file")


def test_an_error_is_told_once_on_standard_error(tmp_path: Path) -> None:
    """As a process: here there is always somebody who listens to logs."""
    credential = '{type: client_credentials, client_id: a, client_secret: {env: ZOO}, token_url: "http://127.0.0.1:1/t"}'
    words = ["call", "http://127.0.0.1:1/mcp", "lions", "--credential", credential]
    told = subprocess.run(
        [sys.executable, "-m", "ostiary", *words],
        capture_output=True,
        env=os.environ | {"ZOO": "hunter22"},
        cwd=tmp_path,
        check=False,
    )
    assert (told.returncode, told.stdout) == (1, b"")
    assert told.stderr.startswith(b"credential client_credentials for ")
    assert told.stderr.count(b"\n") == 1
