"""Servers that are programs, as the commands see them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Ostiary
from tests.gateway.programs import program

MODERN = """
    for message in messages():
        if message["method"] == "tools/list":
            schema = {"type": "object", "properties": {"who": {"type": "string"}}}
            listed = {"tools": [{"name": "greet", "inputSchema": schema}]}
            answer(message, {**listed, "ttlMs": 0, "cacheScope": "private"})
        else:
            text(message, "hello " + message["params"]["arguments"]["who"])
"""
LEGACY = """
    for line in sys.stdin:
        message = json.loads(line)
        method = message["method"]
        if method == "initialize":
            server = {"serverInfo": {"name": "old", "version": "1"}, "capabilities": {"tools": {}}}
            say(id=message["id"], result={"protocolVersion": "2025-06-18", **server})
        elif method == "tools/list":
            schema = {"type": "object", "properties": {"who": {"type": "string"}}}
            say(id=message["id"], result={"tools": [{"name": "greet", "inputSchema": schema}]})
        elif method == "tools/call":
            said = "hello " + message["params"]["arguments"]["who"]
            say(id=message["id"], result={"content": [{"type": "text", "text": said}]})
        elif "id" in message:
            say(id=message["id"], error={"code": -32601, "message": "Method not found"})
"""
ENDS = """
    sys.stderr.write("reading the settings\\n" + "no licence for " + os.environ["LICENCE"] + "\\n")
    sys.exit(3)
"""
SILENT = """
    for line in sys.stdin:
        pass
"""


def server(**settings: Any) -> None:
    """A file whose one server is a program."""
    gateway = {"allow_unauthenticated": True, "servers": {"files": settings}}
    Path("ostiary.yaml").write_text(json.dumps({"gateway": gateway}))


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_a_check_names_the_program_and_not_its_arguments(ostiary: Ostiary) -> None:
    server(command=["sh", "-c", "a-secret-word"])
    checked = ostiary("check")
    assert checked.code == 0
    assert "program sh" in checked.out
    assert "a-secret-word" not in checked.out


@pytest.mark.parametrize(
    ("code", "spoken"), [(MODERN, "2026-07-28 (modern)"), (LEGACY, "2025-06-18 (legacy)")]
)
def test_a_program_of_either_era_is_listed_and_called(ostiary: Ostiary, code: str, spoken: str) -> None:
    server(command=program(Path.cwd(), code))
    listed = ostiary("tools", "--server", "files")
    assert (listed.code, listed.err) == (0, "")
    first = f"program {sys.executable} speaks MCP {spoken}; credential: none (server files of ostiary.yaml)"
    assert listed.out.splitlines()[0] == first
    assert "greet" in listed.out
    assert ostiary("call", "--server", "files", "greet", "who=Ada") == (0, "hello Ada\n", "")


def test_what_json_says_of_a_program(ostiary: Ostiary) -> None:
    server(command=program(Path.cwd(), MODERN))
    told = json.loads(ostiary("tools", "--server", "files", "--json").out)
    assert (told["url"], told["place"], told["era"]) == (None, f"program {sys.executable}", "modern")


def test_a_program_that_ends_at_once_is_told_with_its_last_lines(
    ostiary: Ostiary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "a-secret-word")
    server(command=program(Path.cwd(), ENDS), env={"LICENCE": {"env": "KEY"}})
    called = ostiary("call", "--server", "files", "greet")
    assert (called.code, called.out) == (1, "")
    assert called.err == (
        "server files: it does not start: it ended with exit status 3; "
        "it wrote: reading the settings / no licence for ***\n"
    )


def test_a_program_that_is_not_there_is_told_in_one_sentence(ostiary: Ostiary) -> None:
    server(command=["no-such-program"])
    assert ostiary("tools", "--server", "files") == (
        1,
        "",
        "server files: there is no program no-such-program on PATH\n",
    )


def test_the_doctor_says_of_a_program_that_it_works(ostiary: Ostiary) -> None:
    server(command=program(Path.cwd(), LEGACY))
    examined = ostiary("doctor", "--server", "files")
    assert (examined.code, examined.err) == (0, "")
    assert examined.out.splitlines() == [
        f"program {sys.executable}, with credential none (server files of ostiary.yaml)",
        f"  ok       find     {sys.executable}",
        "  ok       speak    MCP 2025-06-18 (legacy)",
        "  ok       list     1 tools",
        "",
        f"The call works: the program {sys.executable} answers.",
    ]


@pytest.mark.parametrize(
    ("code", "cause", "sentence", "fix"),
    [
        (
            ENDS,
            "program_ends",
            (
                "server files: it does not start: it ended with exit status 3. It wrote: reading the "
                "settings no licence for ***"
            ),
            "Run its command by hand",
        ),
        (SILENT, "no_answer", "server files: no answer within 0.2 s.", "See that it speaks MCP"),
    ],
    ids=["ends at once", "never answers"],
)
def test_the_doctor_says_what_a_program_does_wrong(
    ostiary: Ostiary, monkeypatch: pytest.MonkeyPatch, code: str, cause: str, sentence: str, fix: str
) -> None:
    monkeypatch.setenv("KEY", "a-secret-word")
    server(command=program(Path.cwd(), code), env={"LICENCE": {"env": "KEY"}}, timeout="200ms")
    examined = ostiary("doctor", "--server", "files", "--json")
    assert (examined.code, examined.err) == (1, "")
    told = json.loads(examined.out)
    assert [step["outcome"] for step in told["steps"]] == ["ok", "failed", "skipped"]
    assert told["works"] is False
    assert (told["diagnosis"]["cause"], one_line(told["diagnosis"]["sentence"])) == (cause, sentence)
    assert told["diagnosis"]["fix"].startswith(fix)


def test_the_doctor_says_of_a_program_that_is_not_there(ostiary: Ostiary) -> None:
    server(command=["no-such-program", "a-secret-word"])
    examined = ostiary("doctor", "--server", "files")
    assert examined.code == 1
    assert one_line(examined.out) == one_line(
        """
        program no-such-program, with credential none (server files of ostiary.yaml)
          failed   find     there is no program no-such-program on PATH
          skipped  speak    the way ends before
          skipped  list     the way ends before
        Cause: The program no-such-program cannot be started: there is no program no-such-program on PATH.
        Fix:   Install it, or mend command, env or cwd of the server: a program is found by its whole path,
        or on the PATH of who starts the gateway.
        """
    )


def test_a_token_is_for_no_program(ostiary: Ostiary) -> None:
    server(command=["sh"])
    refused = ostiary("token", "--server", "files")
    assert refused.code == 2
    assert one_line(refused.err) == (
        "server files of ostiary.yaml is a program, which has no URL and is sent no credential"
    )


def test_a_client_is_told_how_to_start_the_bridge_to_a_program(ostiary: Ostiary) -> None:
    server(command=["sh"], env={"LICENCE": {"env": "KEY"}, "PLACE": "here"})
    told = json.loads(ostiary("client-config", "files", "--server", "files", "--json").out)
    assert told["environment"] == ["KEY"]
