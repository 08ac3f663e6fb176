"""`ostiary client-config`: settings that start the bridge, for every client, and no token in them."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

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
    goose = {
        "type": "stdio",
        "name": "zoo",
        "enabled": True,
        "cmd": OSTIARY,
        "args": entry["args"],
        "timeout": 300,
    }
    assert settings(ostiary, "zoo", URL) == {
        "claude-code": {"mcpServers": {"zoo": typed}},
        "claude-desktop": {"mcpServers": {"zoo": entry}},
        "gemini-cli": {"mcpServers": {"zoo": entry}},
        "vscode": {"servers": {"zoo": typed}},
        "cursor": {"mcpServers": {"zoo": entry}},
        "codex": {"mcp_servers": {"zoo": entry}},
        "windsurf": {"mcpServers": {"zoo": entry}},
        "zed": {"context_servers": {"zoo": entry}},
        "cline": {"mcpServers": {"zoo": entry | {"disabled": False}}},
        "goose": {"extensions": {"zoo": goose}},
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
    need = "The bridge needs WEATHER_TOKEN, from the client's environment or where ... stands.\n"
    assert told.endswith(need)


def test_each_client_hands_the_secret_on_in_its_own_words(ostiary: Any) -> None:
    found = settings(ostiary, "zoo", URL, "--credential", BEARER)
    env = {
        client: settings["mcpServers"]["zoo"].get("env")
        for client, settings in found.items()
        if "mcpServers" in settings
    }
    assert env == {
        "claude-code": {"WEATHER_TOKEN": "${WEATHER_TOKEN}"},
        "claude-desktop": {"WEATHER_TOKEN": "..."},
        "gemini-cli": {"WEATHER_TOKEN": "$WEATHER_TOKEN"},
        "cursor": {"WEATHER_TOKEN": "${env:WEATHER_TOKEN}"},
        "windsurf": {"WEATHER_TOKEN": "${env:WEATHER_TOKEN}"},
        "cline": {"WEATHER_TOKEN": "..."},
        "inspector": None,
    }
    vscode = found["vscode"]
    assert vscode["servers"]["zoo"]["env"] == {"WEATHER_TOKEN": "${input:WEATHER_TOKEN}"}
    [asked] = vscode["inputs"]
    assert (asked["id"], asked["password"]) == ("WEATHER_TOKEN", True)
    assert found["codex"]["mcp_servers"]["zoo"]["env_vars"] == ["WEATHER_TOKEN"]
    assert found["goose"]["extensions"]["zoo"]["env_keys"] == ["WEATHER_TOKEN"]
    assert found["zed"]["context_servers"]["zoo"]["env"] == {"WEATHER_TOKEN": "..."}


def test_what_is_printed_for_a_file_of_another_language_says_the_same(ostiary: Any) -> None:
    credential = json.dumps({"type": "bearer", "token": {"file": '/tmp/ü "a" \\b'}}, ensure_ascii=False)
    words = ("no", URL, "--credential", credential)
    found = settings(ostiary, *words)
    for client, read in (("codex", tomllib.loads), ("goose", YAML(typ="safe").load)):
        told = ostiary("client-config", *words, "--client", client).out
        text = told.partition("\n\n")[2].partition("\n\n")[0]
        assert read(text) == found[client]


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
