"""A command loads what it needs: what it must not load is named here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import in_background

from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo.server import zoo_app

SDK = {"mcp", "mcp_types"}
STORE = {"sqlalchemy", "alembic", "asyncpg", "ostiary.storage.database"}
OTHER_STORE = {
    "sqlalchemy.orm",
    "sqlalchemy.ext",
    "sqlalchemy.dialects.postgresql",
    "alembic",
    "mako",
    "asyncpg",
}
SERVERS = {"uvicorn", "starlette", "ostiary.gateway.gateway", "ostiary.transport.listener"}
JOSE = {"joserfc", "cryptography", "google.auth"}
LOGS = {"structlog", "ostiary.telemetry.logs"}
OTHERS = {"aiohttp", "grpc", "requests", "jinja2", "prometheus_client", "ostiary.cloudrun", "ostiary.zoo"}
AUTHSERVER = {"ostiary.authserver"}
OTHER_KINDS = {
    "ostiary.credentials.client_credentials",
    "ostiary.credentials.oauth_user",
    "ostiary.credentials.aws",
}

AUTHSERVER_ALONE = """
authserver:
  listen: 127.0.0.1:{port}
  issuer: http://127.0.0.1:{port}
  upstream_idps: [{{name: corp, issuer: "https://corp.example.com", client_id: ostiary}}]
  resources:
    - {{resource: "https://mcp.example.com/mcp", owner: default/gateway, scopes: [mcp], idps: [corp]}}
"""
COMMAND = """
import atexit, gc, os, pathlib, sys

def tell():
    there = [*sys.modules, *["looks for garbage"] * gc.isenabled()]
    pathlib.Path(os.environ["TOLD"]).write_text("\\n".join(there))

atexit.register(tell)
from ostiary.cli import main
main()
"""


@pytest.fixture(scope="module")
def zoo() -> Iterator[str]:
    sock = bind(Listen("127.0.0.1", 0))
    with in_background(serving(zoo_app(), sock)):
        yield f"http://{address_of(sock)}/mcp"


@pytest.fixture
def port() -> int:
    """A free one."""
    with bind(Listen("127.0.0.1", 0)) as sock:
        return address_of(sock).port


@pytest.fixture
def file(tmp_path: Path, zoo: str, port: int) -> Path:
    """A gateway alone, open to this machine."""
    written = tmp_path / "ostiary.yaml"
    written.write_text(
        f"gateway:\n  listen: 127.0.0.1:{port}\n  allow_unauthenticated: true\n"
        f"  servers:\n    zoo:\n      url: {zoo}\n"
        "      credential: {type: header, name: X-Key, value: {env: KEY}}\n"
    )
    return written


def loaded(words: list[str], directory: Path, said: str = "") -> set[str]:
    """The modules that a command has at its end. said: it is ended when it prints a line that begins so."""
    told = directory / "modules.txt"
    environment = {**os.environ, "OSTIARY_STATE_DIR": str(directory), "KEY": "secret", "TOLD": str(told)}
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words],
        cwd=directory,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        if said:
            assert any(line.decode().startswith(said) for line in process.stdout)
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0
    return set(told.read_text().splitlines())


def of(modules: set[str], packages: set[str]) -> set[str]:
    """Those that are one of the packages, or in it."""
    return {name for name in modules if any(f"{name}.".startswith(f"{one}.") for one in packages)}


def test_help_loads_no_part(tmp_path: Path) -> None:
    parts = {"ostiary.config", "ostiary.credentials", "ostiary.gateway", "ostiary.settings"}
    libraries = SDK | JOSE | OTHERS | {"pydantic", "asyncio", "ssl"}
    assert of(loaded(["--help"], tmp_path), STORE | SERVERS | AUTHSERVER | parts | libraries) == set()


def test_a_check_loads_the_models_of_what_the_file_has(file: Path) -> None:
    modules = loaded(["check", "-c", str(file)], file.parent)
    assert (
        of(modules, SDK | STORE | SERVERS | JOSE | OTHERS | AUTHSERVER | OTHER_KINDS | {"structlog"}) == set()
    )
    assert {"ostiary.gateway.config", "ostiary.credentials.header"} <= modules


@pytest.mark.parametrize("words", [["tools"], ["call", "get_animal_details", "name=pingu"]])
def test_a_call_loads_no_sdk_and_no_part(zoo: str, tmp_path: Path, words: list[str]) -> None:
    modules = loaded([words[0], zoo, *words[1:]], tmp_path)
    parts = {"ostiary.gateway", "ruamel", "structlog"}
    assert of(modules, SDK | STORE | SERVERS | JOSE | OTHERS | AUTHSERVER | OTHER_KINDS | parts) == set()


def test_a_bridge_loads_no_sdk_and_nothing_that_listens(zoo: str, tmp_path: Path) -> None:
    modules = loaded(["bridge", zoo], tmp_path)
    parts = {"httpx2", "ruamel", "jsonschema"}
    assert of(modules, SDK | STORE | SERVERS | JOSE | OTHERS | AUTHSERVER | OTHER_KINDS | parts) == set()
    assert "ostiary.gateway.one_server" in modules


def test_a_gateway_alone_has_no_store_and_no_authorization_server(file: Path) -> None:
    modules = loaded(["up", "-c", str(file)], file.parent, said="Ctrl-C")
    assert of(modules, SDK | STORE | JOSE | OTHERS | AUTHSERVER | OTHER_KINDS) == set()
    assert {"ostiary.gateway.gateway", "ostiary.credentials.header"} <= modules


@pytest.mark.parametrize("words", [["up", "-c", "ostiary.yaml"], ["bridge", "--server", "zoo"]])
def test_what_runs_for_long_looks_for_garbage_once_it_has_started(file: Path, words: list[str]) -> None:
    """Nothing does while it starts."""
    modules = loaded(words, file.parent, said="Ctrl-C" if words[0] == "up" else "")
    assert "looks for garbage" in modules
    assert "looks for garbage" not in loaded(["--help"], file.parent)


@pytest.mark.parametrize("start", ["on a new store", "on the store of before"])
def test_an_authorization_server_alone_has_one_kind_of_store_and_no_gateway(
    tmp_path: Path, port: int, start: str
) -> None:
    file = tmp_path / "ostiary.yaml"
    file.write_text(AUTHSERVER_ALONE.format(port=port))
    for _ in range(1 if start == "on a new store" else 2):
        modules = loaded(["up", "-c", str(file)], tmp_path, said="Ctrl-C")
    parts = {"grpc", "ostiary.gateway", "ostiary.cloudrun", "ostiary.zoo", "ostiary.diagnosis"}
    assert of(modules, SDK | OTHER_STORE | OTHER_KINDS | parts) == set()
    assert {"ostiary.authserver.server.authserver", "sqlalchemy.dialects.sqlite"} <= modules
