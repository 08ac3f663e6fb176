"""The files in deploy/ are what they say: linted, and run as far as no container is needed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.peers.mcp_clients.client import free_port

from ostiary.cli.app import run
from ostiary.config.file import OstiaryFile
from ostiary.config.load import read

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SECRETS = ("database_password", "encryption_key", "idp_secret")


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: each, and what it says."""
    text = re.sub(r"\\\n\s*", " ", (DEPLOY / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def said(instruction: str) -> str:
    """What the last one of a kind says."""
    return [rest for word, rest in instructions() if word == instruction][-1]


def compose() -> Any:
    return YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text())


def test_the_image_runs_as_nobody_in_particular_and_has_nothing_to_build_with() -> None:
    stages = [index for index, (word, _) in enumerate(instructions()) if word == "FROM"]
    assert len(stages) == 2
    last = instructions()[stages[-1] :]
    assert ("USER", "10001:10001") in last
    assert not any("pip" in rest for word, rest in last if word == "RUN")
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    assert [file for files in copied for file in files if not (ROOT / file).exists()] == []
    taken = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{file.rstrip('/')}" for files in copied for file in files} <= set(taken)


@pytest.fixture
def configured(tmp_path: Path) -> tuple[Path, int]:
    """The image's folder of settings, with a gateway; and the port of its telemetry."""
    port = free_port()
    file = tmp_path / "ostiary.yaml"
    file.write_text("gateway: {listen: 127.0.0.1:1, allow_unauthenticated: true}\ntelemetry: {}\n")
    return tmp_path, port


def test_what_the_image_runs_stands_and_its_health_check_says_so(configured: tuple[Path, int]) -> None:
    directory, port = configured
    environment = os.environ | {
        "OSTIARY_TELEMETRY_LISTEN": f"127.0.0.1:{port}",
        "OSTIARY_GATEWAY_LISTEN": f"127.0.0.1:{free_port()}",
        "OSTIARY_WORKERS": "2",
    }
    health = json.loads(said("HEALTHCHECK").partition("CMD ")[2])
    assert health == ["python", "/opt/ostiary/healthy.py"]
    checked = [sys.executable, str(DEPLOY / "healthy.py")]
    before = subprocess.run(checked, env=environment, capture_output=True, text=True, check=False)
    assert (before.returncode, before.stdout) == (1, "[Errno 111] Connection refused\n")
    words = [*json.loads(said("ENTRYPOINT")), *json.loads(said("CMD"))]
    assert words.pop(0) == "ostiary"
    words = [word.replace("/etc/ostiary", str(directory)) for word in words]
    up = subprocess.Popen(
        [sys.executable, "-m", "ostiary", *words], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert up.stdout is not None
        assert "2 workers share the work.\n" in [up.stdout.readline() for _ in range(3)]
        after = subprocess.run(checked, env=environment, capture_output=True, text=True, check=False)
        assert (after.returncode, after.stdout) == (0, '{"status":"ready"}\n')
    finally:
        up.terminate()
        up.communicate(timeout=15)
    assert up.returncode == 0


def test_what_compose_runs_is_shut_in_and_said_by_variables_that_there_are() -> None:
    services = compose()["services"]
    ostiary = services["ostiary"]
    variables = {name for name in ostiary["environment"] if name.startswith("OSTIARY_")}
    assert variables <= {*OstiaryFile.variables, "OSTIARY_WORKERS"}
    assert (ostiary["read_only"], ostiary["cap_drop"]) == (True, ["ALL"])
    assert all(port.startswith("127.0.0.1:") for port in ostiary["ports"])
    assert set(compose()["secrets"]) == {*ostiary["secrets"], *services["postgresql"]["secrets"]}
    assert (DEPLOY / ostiary["build"]["context"] / ostiary["build"]["dockerfile"]).is_file()


def test_the_configuration_of_compose_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(SECRETS) == set(compose()["secrets"])
    for name in SECRETS:
        (tmp_path / name).write_text("x" * 43)
        (tmp_path / name).chmod(0o600)
    file = tmp_path / "ostiary.yaml"
    file.write_text((DEPLOY / "ostiary.yaml").read_text().replace("/run/secrets", str(tmp_path)))
    for name, value in compose()["services"]["ostiary"]["environment"].items():
        if name != "OSTIARY_WORKERS":
            monkeypatch.setenv(name, value)
    assert run(["check", "-c", str(file)]) == 0, capsys.readouterr().err
    assert capsys.readouterr().err == ""
    loaded = read(file, OstiaryFile).settings
    assert loaded.gateway is not None
    assert str(loaded.gateway.listen) == "0.0.0.0:8080"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_the_unit_is_good_and_little_is_open_to_it(tmp_path: Path) -> None:
    unit = tmp_path / "ostiary.service"
    text = (DEPLOY / "ostiary.service").read_text()
    unit.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE))
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout[-300:]
