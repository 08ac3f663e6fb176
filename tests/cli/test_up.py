"""`ostiary up -c FILE`, `ostiary zoo`, `ostiary cloudrun emulate`: real processes that stay until stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

Start = Callable[..., "subprocess.Popen[str]"]

FILE = """\
gateway:
  listen: 127.0.0.1:{gateway}
  allow_unauthenticated: true
  servers:
    zoo: {{url: "http://127.0.0.1:{zoo}/mcp"}}
"""
BOTH = """\
gateway:
  listen: 127.0.0.1:{gateway}
  inbound: [{{issuer: "http://127.0.0.1:{authserver}", required_scopes: [mcp]}}]
  servers:
    zoo: {{url: "http://127.0.0.1:{zoo}/mcp"}}
authserver:
  listen: 127.0.0.1:{authserver}
  issuer: http://127.0.0.1:{authserver}
  upstream_idps: [{{name: corp, issuer: "https://corp.example.com", client_id: ostiary}}]
  resources:
    - {{resource: "http://127.0.0.1:{gateway}/mcp", owner: default/gateway, scopes: [mcp], idps: [corp]}}
  clients: [{{client_id: ci, client_secret: {{env: CI_SECRET}}, grant_types: [client_credentials]}}]
telemetry: {{listen: "127.0.0.1:{telemetry}", audit: audit.jsonl}}
"""
EMULATOR = """\
listen: 127.0.0.1:{google}
metadata: {{service_account: caller}}
service_accounts:
  caller: {{key_file: caller.json}}
services:
  zoo:
    command: [ostiary, zoo]
    listen: 127.0.0.1:{service}
    invokers: ["serviceAccount:caller@demo-project.iam.gserviceaccount.com"]
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command that stays, in the test's directory."""
    running: list[subprocess.Popen[str]] = []

    def started(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "ostiary", *words],
            cwd=tmp_path,
            env=os.environ | {"OSTIARY_STATE_DIR": str(tmp_path / "state")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield started
    for process in running:
        process.kill()
        process.communicate()


def until_it_listens(port: int) -> None:
    for _ in range(1000):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)
    pytest.fail(f"nothing listens on port {port}")


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline() or pytest.fail(process.communicate()[1])


def test_a_gateway_runs_from_its_file_until_it_is_stopped(tmp_path: Path, start: Start, ostiary: Any) -> None:
    ports = {"gateway": free_port(), "zoo": free_port()}
    (tmp_path / "ostiary.yaml").write_text(FILE.format(**ports))
    start("zoo", "--port", str(ports["zoo"]))
    until_it_listens(ports["zoo"])
    gateway = start("up", "--only", "gateway")
    url = f"http://127.0.0.1:{ports['gateway']}/mcp"
    assert next_line(gateway) == f"The gateway answers at {url}, in front of zoo.\n"
    assert next_line(gateway) == "Ctrl-C stops it.\n"

    called = ostiary("call", url, "zoo_get_animals_by_species", "species=walrus")
    assert (called.code, called.err) == (0, "")
    assert " walrus " in called.out
    directly = ostiary("call", "--server", "zoo", "get_animals_by_species", "species=walrus")
    assert directly == called

    gateway.send_signal(signal.SIGTERM)
    assert gateway.communicate(timeout=15) == ("", "")
    assert gateway.returncode == 0


def test_gateway_authserver_and_telemetry_run_in_one_process(
    tmp_path: Path, start: Start, ostiary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = {name: free_port() for name in ("gateway", "authserver", "zoo", "telemetry")}
    (tmp_path / "ostiary.yaml").write_text(BOTH.format(**ports))
    monkeypatch.setenv("CI_SECRET", "correct-horse-battery-staple")
    start("zoo", "--port", str(ports["zoo"]))
    until_it_listens(ports["zoo"])
    both = start("up")
    issuer, url = (f"http://127.0.0.1:{ports[name]}" for name in ("authserver", "gateway"))
    assert [next_line(both) for _ in range(4)] == [
        (
            f"The authorization server {issuer} answers at 127.0.0.1:{ports['authserver']}; "
            "people sign in at corp.\n"
        ),
        f"The gateway answers at {url}/mcp, in front of zoo.\n",
        f"Health, metrics and status are at http://127.0.0.1:{ports['telemetry']}.\n",
        "Ctrl-C stops it.\n",
    ]
    client = "client_id: ci, client_secret: {env: CI_SECRET}"
    credential = f'{{type: client_credentials, issuer: "{issuer}", {client}}}'
    called = ostiary("call", f"{url}/mcp", "zoo_get_animal_details", "name=pingu", "--credential", credential)
    assert (called.code, called.err) == (0, "")
    telemetry = f"http://127.0.0.1:{ports['telemetry']}"
    assert httpx2.get(f"{telemetry}/readyz").json() == {"status": "ready"}
    issued = 'ostiary_authserver_tokens_issued_total{grant="client_credentials"} 1.0'
    assert issued in httpx2.get(f"{telemetry}/metrics").text.splitlines()
    events = [json.loads(line)["event"] for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert events.count("token_issued") == 1

    both.send_signal(signal.SIGTERM)
    assert both.communicate(timeout=15)[0] == ""
    assert both.returncode == 0


def test_one_part_runs_without_the_secrets_of_the_other(ostiary: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"gateway": taken.getsockname()[1], "authserver": 1, "zoo": 1, "telemetry": free_port()}
        (tmp_path / "ostiary.yaml").write_text(BOTH.format(**ports))
        outcome = ostiary("up", "--only", "gateway")
    assert (outcome.code, outcome.err.partition(":")[0]) == (1, "127.0.0.1")
    assert ostiary("up") == (
        2,
        "",
        ("ostiary.yaml:12: authserver.clients[0].client_secret: environment variable CI_SECRET is not set\n"),
    )


def test_a_part_that_the_file_has_not_is_told(ostiary: Any, tmp_path: Path) -> None:
    (tmp_path / "ostiary.yaml").write_text(FILE.format(gateway=1, zoo=1))
    assert ostiary("up", "--only", "authserver") == (2, "", "ostiary.yaml has no authserver\n")


def test_an_audit_file_that_cannot_be_opened_is_told(
    ostiary: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_SECRET", "correct-horse-battery-staple")
    ports = {name: free_port() for name in ("gateway", "authserver", "zoo", "telemetry")}
    text = BOTH.format(**ports).replace("audit.jsonl", "logs/audit.jsonl")
    (tmp_path / "ostiary.yaml").write_text(text)
    assert ostiary("up") == (
        1,
        "",
        f"the audit file {tmp_path}/logs/audit.jsonl cannot be opened: No such file or directory\n",
    )


def test_an_identity_provider_that_became_another_one_is_told(
    tmp_path: Path, start: Start, ostiary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_SECRET", "correct-horse-battery-staple")
    ports = {name: free_port() for name in ("gateway", "authserver", "zoo", "telemetry")}
    (tmp_path / "ostiary.yaml").write_text(BOTH.format(**ports))
    before = start("up")
    next_line(before)
    before.kill()
    before.wait()
    text = BOTH.format(**ports).replace("corp.example.com", "evil.example.com")
    (tmp_path / "ostiary.yaml").write_text(text)
    assert ostiary("up") == (
        1,
        "",
        (
            "identity provider corp was https://corp.example.com and is https://evil.example.com now: "
            "if that is meant, say previous_issuer: https://corp.example.com in its entry; "
            "its people will be other people here\n"
        ),
    )


def test_a_taken_port_is_told(tmp_path: Path, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "ostiary.yaml").write_text(FILE.format(gateway=port, zoo=1))
        _, told = start("up").communicate(timeout=15)
    assert told == f"127.0.0.1:{port} is taken: stop what listens there, or choose another port\n"


def test_a_file_that_names_nothing_to_run_is_told(ostiary: Any) -> None:
    Path("empty.yaml").write_text("")
    assert ostiary("up", "-c", "empty.yaml") == (
        2,
        "",
        "empty.yaml runs nothing: add a gateway or an authserver\n",
    )


def test_the_local_google_runs_from_its_file(tmp_path: Path, start: Start, ostiary: Any) -> None:
    ports = {"google": free_port(), "service": free_port()}
    (tmp_path / "emulator.yaml").write_text(EMULATOR.format(**ports))
    google = start("cloudrun", "emulate", "-c", "emulator.yaml")
    origin = f"http://127.0.0.1:{ports['google']}"
    assert next_line(google) == f"The local Google answers at {origin}. Programs find it by:\n"

    url = f"http://127.0.0.1:{ports['service']}/mcp"
    credential = "{type: google_id_token, key_file: caller.json}"
    called = ostiary("call", url, "get_animals_by_species", "species=walrus", "--credential", credential)
    assert (called.code, called.err) == (0, "")
    assert ostiary("call", url, "get_animals_by_species", "species=walrus").err.startswith(
        f"{url} refused the call: 403 Forbidden; no token was sent."
    )

    google.send_signal(signal.SIGINT)
    google.communicate(timeout=15)
    assert google.returncode == 0


def test_a_fault_in_the_emulators_file_points_at_its_line(ostiary: Any) -> None:
    Path("emulator.yaml").write_text(
        "services:\n  zoo:\n    listen: 127.0.0.1:1\n    comand: [ostiary, zoo]\n"
    )
    outcome = ostiary("cloudrun", "emulate")
    assert outcome == (
        2,
        "",
        "emulator.yaml:4: services.zoo.comand is not a setting of a service; did you mean command?\n",
    )


def test_a_server_that_is_not_there_is_told(ostiary: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}/mcp"
    outcome = ostiary("tools", url)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"{url} cannot be reached: All connection attempts failed; is the server running?\n"
