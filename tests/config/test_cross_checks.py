"""The parts of one file: what they have to agree on, and what one has because another is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from tests.config.conftest import Write

from ostiary.config import OstiaryFile, read
from ostiary.config.schema import file_schema
from ostiary.config.secret_presence import absent

Load = Callable[[str], OstiaryFile]
Faults = Callable[[str], list[str]]

AUTHSERVER = """\
authserver:
  listen: 127.0.0.1:9000
  issuer: https://auth.example.com
  upstream_idps: [{preset: google, client_id: ostiary}]
  resources:
    - {resource: "https://mcp.example.com/mcp", owner: default/gateway, scopes: [mcp], idps: [google]}
"""
GATEWAY = """\
gateway:
  url: https://mcp.example.com
  inbound: [{issuer: "https://auth.example.com"}]
"""


def test_an_authserver_keeps_things_in_a_file_beside_the_configuration(loaded: Load, tmp_path: Path) -> None:
    storage = loaded(AUTHSERVER).storage
    assert storage is not None
    assert (storage.file, storage.encryption_key.path) == (tmp_path / "ostiary.db", tmp_path / "ostiary.key")


def test_a_gateway_alone_keeps_nothing(loaded: Load) -> None:
    assert loaded(GATEWAY).storage is None


def test_the_gateway_and_its_authserver_agree(loaded: Load) -> None:
    assert loaded(GATEWAY + AUTHSERVER).authserver is not None


def test_tokens_that_no_resource_covers_are_told(faults: Faults) -> None:
    assert faults(GATEWAY.replace("https://mcp.", "https://tools.") + AUTHSERVER) == [
        (
            "ostiary.yaml:4: authserver: the gateway takes tokens of https://auth.example.com for "
            "https://tools.example.com/mcp, which no entry of resources covers: "
            "add one, or nobody gets such a token"
        )
    ]


def test_a_scope_that_the_resource_has_not_is_told(faults: Faults) -> None:
    entry = 'issuer: "https://auth.example.com"'
    text = GATEWAY.replace(entry, f"{entry}, required_scopes: [admin]")
    assert faults(text + AUTHSERVER) == [
        (
            "ostiary.yaml:4: authserver: the gateway requires the scope admin, and resource "
            "https://mcp.example.com/mcp has mcp: nobody could call"
        )
    ]


def test_an_audience_of_the_entrys_own_counts(faults: Faults) -> None:
    entry = 'issuer: "https://auth.example.com"'
    text = GATEWAY.replace(entry, f"{entry}, audience: not-a-url")
    assert faults(text + AUTHSERVER)[0].startswith(
        "ostiary.yaml:4: authserver: the gateway takes tokens of https://auth.example.com for not-a-url, "
    )


@pytest.mark.parametrize(
    ("listen", "place"),
    [
        (
            "listen: localhost:8080",
            "4: authserver: authserver.listen and gateway.listen both want localhost:8080",
        ),
        (
            "listen: 0.0.0.0:8080",
            "4: authserver: authserver.listen and gateway.listen both want 0.0.0.0:8080",
        ),
    ],
)
def test_two_listeners_at_one_address_are_told(faults: Faults, listen: str, place: str) -> None:
    text = GATEWAY + AUTHSERVER.replace("listen: 127.0.0.1:9000", listen)
    assert faults(text) == [f"ostiary.yaml:{place}: give one another port"]


def test_telemetry_has_a_port_of_its_own(faults: Faults) -> None:
    assert faults(AUTHSERVER + "telemetry: {listen: 127.0.0.1:9000}\n") == [
        (
            "ostiary.yaml:7: telemetry: telemetry.listen and authserver.listen both want 127.0.0.1:9000: "
            "give one another port"
        )
    ]


def test_telemetry_is_for_this_machine(faults: Faults, loaded: Load) -> None:
    assert faults("telemetry: {listen: 0.0.0.0:9464}\n") == [
        (
            "ostiary.yaml:1: telemetry: 0.0.0.0:9464 can be reached from other machines: "
            "listen on 127.0.0.1, or say insecure_public: true"
        )
    ]
    assert loaded("telemetry: {listen: 0.0.0.0:9464, insecure_public: true}\n").telemetry.listen is not None


def test_the_audits_file_need_not_be_there(write: Write, tmp_path: Path) -> None:
    file = read(write(AUTHSERVER + "telemetry: {audit: audit.jsonl}\n"), OstiaryFile)
    assert file.settings.telemetry.audit is not None
    assert file.settings.telemetry.audit.path == tmp_path / "audit.jsonl"
    assert list(absent(file)) == []


def test_a_fault_behind_another_name_is_shown_under_the_name_that_is_written(faults: Faults) -> None:
    assert faults(AUTHSERVER + "  limits: {register: often}\n") == [
        (
            "ostiary.yaml:7: authserver.limits.register: a rate is a number and a unit of time, "
            "such as 10/s, 60/m or 1000/h"
        )
    ]


@pytest.mark.parametrize(
    ("entry", "taken"),
    [
        ({"preset": "google", "client_id": "ostiary"}, True),
        ({"name": "corp", "issuer": "https://corp.example.com", "client_id": "ostiary"}, True),
        ({"name": "corp", "client_id": "ostiary"}, False),
        ({"preset": "gogle", "client_id": "ostiary"}, False),
    ],
)
def test_editors_know_that_a_preset_fills_in_what_is_missing(entry: dict[str, str], taken: bool) -> None:
    resource = {"resource": "https://mcp.example.com/mcp", "owner": "a/b", "idps": ["google"]}
    authserver = {"issuer": "https://auth.example.com", "upstream_idps": [entry], "resources": [resource]}
    schema = jsonschema.Draft202012Validator(file_schema(OstiaryFile))
    assert schema.is_valid({"authserver": authserver}) is taken
