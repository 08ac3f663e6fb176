"""`ostiary client-config`: settings that start the bridge, for every client, and no token in them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

URL = "https://mcp.example.com/mcp"
OSTIARY = str(Path(sys.executable).parent / "ostiary")
BEARER = '{"type": "bearer", "token": {"env": "WEATHER_TOKEN"}}'


def settings(ostiary: Any, *words: str) -> dict[str, Any]:
    outcome = ostiary("client-config", *words, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    return {told["client"]: told["settings"] for told in json.loads(outcome.out)["clients"]}


def test_every_client_starts_the_bridge(ostiary: Any) -> None:
    entry = {"command": OSTIARY, "args": ["bridge", URL]}
    typed = {"type": "stdio", **entry}
    assert settings(ostiary, "zoo", URL) == {
        "claude-code": {"mcpServers": {"zoo": typed}},
        "gemini-cli": {"mcpServers": {"zoo": entry}},
        "vscode": {"servers": {"zoo": typed}},
        "cursor": {"mcpServers": {"zoo": entry}},
        "inspector": {"mcpServers": {"zoo": typed}},
    }


def test_one_client_is_told_which_file(ostiary: Any) -> None:
    outcome = ostiary("client-config", "zoo", URL, "--client", "claude-code")
    assert outcome.out.startswith("Claude Code: .mcp.json in the project\n\n{\n")
    assert outcome.out.endswith(f"\nor run: claude mcp add zoo -- {OSTIARY} bridge {URL}\n\n")


def test_the_credential_and_where_its_secret_comes_from_go_along(ostiary: Any) -> None:
    found = settings(ostiary, "zoo", URL, "--credential", BEARER)
    assert found["cursor"]["mcpServers"]["zoo"]["args"] == ["bridge", URL, "--credential", BEARER]
    told = ostiary("client-config", "zoo", URL, "--credential", BEARER).out
    assert told.endswith("The client has to have WEATHER_TOKEN in its environment.\n")


@pytest.mark.parametrize("words", [["--server", "zoo"], [URL]])
def test_a_configuration_is_named_by_its_whole_path(ostiary: Any, tmp_path: Path, words: list[str]) -> None:
    file = tmp_path / "ostiary.yaml"
    file.write_text(
        "gateway: {allow_unauthenticated: true, servers: "
        f"{{zoo: {{url: {URL}, credential: {{type: none}}}}}}}}"
    )
    found = settings(ostiary, "zoo", *words)
    assert found["vscode"]["servers"]["zoo"]["args"] == ["bridge", *words, "--config", str(file)]


def test_a_name_that_some_client_would_not_take_is_refused(ostiary: Any) -> None:
    assert ostiary("client-config", "the zoo", URL) == (
        2,
        "",
        "the zoo is no name that every client takes: use letters, digits, - and _\n",
    )
