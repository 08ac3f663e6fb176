"""`ostiary check` and `ostiary config schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FILE = """\
gateway:
  inbound:
    - issuer: https://auth.example.com
  servers:
    zoo:
      url: https://zoo.example.com/mcp
      credential: {type: bearer, token: {env: ZOO_TOKEN}}
"""


def test_a_good_file_is_called_good_and_shown(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ostiary.yaml").write_text(FILE)
    monkeypatch.setenv("ZOO_TOKEN", "hunter2")
    outcome = ostiary("check", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out) == {
        "file": "ostiary.yaml",
        "runs": [
            {
                "what": "gateway",
                "where": "http://127.0.0.1:8080/mcp",
                "behind it": "zoo",
                "lets in": "tokens of https://auth.example.com",
            },
            {
                "what": "server zoo",
                "where": "http://127.0.0.1:8080/servers/zoo/mcp",
                "behind it": "https://zoo.example.com/mcp",
                "lets in": "us, by credential bearer",
            },
        ],
    }


def test_a_store_is_shown_and_neither_it_nor_its_key_is_made(
    ostiary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("ostiary.yaml").write_text(FILE + "storage: {}\n")
    monkeypatch.setenv("ZOO_TOKEN", "hunter2")
    here = Path.cwd()
    assert json.loads(ostiary("check", "--json").out)["runs"][-1] == {
        "what": "storage",
        "where": f"sqlite:///{here}/ostiary.db",
        "behind it": f"sealed with {here}/ostiary.key",
        "lets in": "the gateway and its replicas",
    }
    assert [path.name for path in here.glob("ostiary.*")] == ["ostiary.yaml"]


def test_for_a_person_it_is_a_table(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ostiary.yaml").write_text(FILE)
    monkeypatch.setenv("ZOO_TOKEN", "hunter2")
    outcome = ostiary("check")
    assert outcome.out.startswith("ostiary.yaml is good.\n")
    assert "server zoo" in outcome.out
    assert "hunter2" not in outcome.out


def test_a_missing_secret_is_a_fault_with_its_line(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ostiary.yaml").write_text(FILE)
    monkeypatch.delenv("ZOO_TOKEN", raising=False)
    assert ostiary("check") == (
        2,
        "",
        "ostiary.yaml:7: gateway.servers.zoo.credential.token: environment variable ZOO_TOKEN is not set\n",
    )


def test_each_fault_is_a_line(ostiary: Any) -> None:
    Path("mine.yaml").write_text("gatewy: 1\nx: 2\n")
    outcome = ostiary("check", "-c", "mine.yaml")
    assert (outcome.code, outcome.err) == (
        2,
        (
            "mine.yaml:1: gatewy is not a setting of this file; did you mean gateway?\n"
            "mine.yaml:2: x is not a setting of this file; "
            "there is authserver, gateway, insecure_inline_secrets, storage, telemetry\n"
        ),
    )


def test_the_schema_is_printed_as_json(ostiary: Any) -> None:
    outcome = ostiary("config", "schema")
    assert outcome.code == 0
    assert json.loads(outcome.out)["title"] == "OstiaryFile"
