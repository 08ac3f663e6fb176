"""What differs between machines, from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.authserver.config import AuthServerSettings
from ostiary.config import ConfigurationError, load
from ostiary.config.file import OstiaryFile
from ostiary.gateway.config import GatewaySettings
from ostiary.settings import Settings
from ostiary.storage.config import StorageSettings
from ostiary.telemetry.config import TelemetrySettings

FILE = """\
gateway:
  listen: 127.0.0.1:8080
  url: http://127.0.0.1:8080
  allow_unauthenticated: true
storage: {url: "sqlite:///ostiary.db"}
telemetry: {}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "ostiary.yaml"
    found.write_text(FILE)
    return found


def test_a_variable_stands_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTIARY_GATEWAY_URL", "https://mcp.example.com")
    monkeypatch.setenv("OSTIARY_GATEWAY_LISTEN", "127.0.0.1:9999")
    monkeypatch.setenv("OSTIARY_STORAGE_URL", "sqlite:////var/lib/ostiary/ostiary.db")
    monkeypatch.setenv("OSTIARY_TELEMETRY_LISTEN", "127.0.0.1:9464")
    loaded = load(file)
    assert loaded.gateway is not None
    assert loaded.storage is not None
    assert (str(loaded.gateway.url), str(loaded.gateway.listen)) == (
        "https://mcp.example.com",
        "127.0.0.1:9999",
    )
    assert loaded.storage.url == "sqlite:////var/lib/ostiary/ostiary.db"
    assert str(loaded.telemetry.listen) == "127.0.0.1:9464"


def test_an_empty_one_says_nothing_and_none_begins_a_part(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTIARY_GATEWAY_URL", "")
    monkeypatch.setenv("OSTIARY_AUTHSERVER_ISSUER", "https://auth.example.com")
    loaded = load(file)
    assert loaded.gateway is not None
    assert str(loaded.gateway.url) == "http://127.0.0.1:8080"
    assert loaded.authserver is None


def test_a_variable_at_fault_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTIARY_GATEWAY_LISTEN", "mcp.example.com:8080")
    monkeypatch.setenv("OSTIARY_TELEMETRY_LISTEN", "nowhere")
    with pytest.raises(ConfigurationError) as refused:
        load(file)
    assert str(refused.value).splitlines() == [
        (
            f"{file}:2: gateway.listen: an address to listen on is an IP address and a port, such as "
            "127.0.0.1:8080 (as OSTIARY_GATEWAY_LISTEN says)"
        ),
        (
            f"{file}:6: telemetry.listen: an address to listen on is an IP address and a port, such as "
            "127.0.0.1:8080 (as OSTIARY_TELEMETRY_LISTEN says)"
        ),
    ]


def test_what_is_refused_because_of_one_names_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTIARY_GATEWAY_LISTEN", "0.0.0.0:8080")
    with pytest.raises(ConfigurationError, match=r"\(as OSTIARY_GATEWAY_LISTEN says\)$"):
        load(file)


def test_each_variable_is_of_a_setting() -> None:
    parts: dict[str, type[Settings]] = {
        "gateway": GatewaySettings,
        "authserver": AuthServerSettings,
        "storage": StorageSettings,
        "telemetry": TelemetrySettings,
    }
    for variable, (part, name) in OstiaryFile.variables.items():
        assert name in parts[str(part)].model_fields, variable
