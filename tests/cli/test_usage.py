"""Bad usage: one sentence on standard error, exit 2; help is quick."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["clal"], "ostiary: No such command 'clal'. Did you mean 'call'?"),
        (["zoo", "--port", "many"], "ostiary zoo: Invalid value for '--port'"),
        (["call"], "ostiary call: Missing argument 'URL TOOL [NAME=VALUE ...]'. See `ostiary call --help`."),
        (["call", "http://127.0.0.1:1/mcp"], "name the tool to call; `ostiary tools URL` lists them"),
        (["tools"], "name the server: its URL, or --server NAME from the configuration"),
        (["call", "zoo", "x"], "zoo is no URL that can be called: it is not an absolute http or https URL"),
        (["call", "--server", "zoo", "x"], "ostiary.yaml: there is no such file; name another with -c FILE"),
        (["call", "http://127.0.0.1:1/mcp", "--no-credential", "--credential", "none", "x"],
         "--credential and --no-credential exclude each other"),
        (["call", "http://127.0.0.1:1/mcp", "--credential", "google_id_tokn", "x"],
         "--credential: credential.type 'google_id_tokn' does not exist; did you mean google_id_token?"),
        (["token", "http://127.0.0.1:1/mcp"],
         "http://127.0.0.1:1/mcp is sent no token: its credential is none (none was found for this URL)"),
        (["status"], "ostiary.yaml: there is no such file; name another with -c FILE"),
        (["status", "nonsense"], "nonsense is no URL to ask: it is not an absolute http or https URL"),
        (["up", "--only", "gateway"], "--only chooses from a file: name one with -c FILE, or write"),
    ],
)  # fmt: skip
def test_bad_usage_is_told_in_one_sentence(ostiary: Any, words: list[str], sentence: str) -> None:
    outcome = ostiary(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(sentence)
    assert outcome.err.count("\n") == 1


def test_without_a_word_the_commands_are_listed() -> None:
    listed = subprocess.run([sys.executable, "-m", "ostiary"], capture_output=True, text=True, check=True)
    commands = [line.split()[0] for line in listed.stdout.partition("Commands:\n")[2].splitlines()]
    assert commands == [
        *("up", "check", "status", "call", "tools", "token", "doctor", "explain", "bridge", "client-config"),
        *("login", "logout", "zoo", "config", "keys", "sessions", "clients", "pki", "policy", "cloudrun"),
    ]


@pytest.mark.parametrize(
    "heavy", ["pydantic.main", "mcp", "aiohttp", "uvicorn", "google.auth", "rich.console"]
)
def test_help_imports_nothing_heavy(heavy: str) -> None:
    code = f"import sys; from ostiary.cli.app import run; run(['--help']); sys.exit({heavy!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
