"""Containers: the command of a service, from its start to its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx2
import pytest

from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.cloudrun.emulator.container import ContainerFailed

TELLS_ITS_VARIABLES = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(os.environ) | {"pid": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


def one_service(program: str, **options: object) -> EmulatorSettings:
    service = {"command": [sys.executable, "-c", program], "listen": "127.0.0.1:0", "invokers": ["allUsers"]}
    return EmulatorSettings.model_validate(
        {
            "listen": "127.0.0.1:0",
            "metadata": {"service_account": "caller"},
            "service_accounts": {"caller": {}},
            "services": {"shop": service | options},
        }
    )


async def test_the_command_runs_as_on_cloud_run(http: httpx2.AsyncClient) -> None:
    async with Emulator(one_service(TELLS_ITS_VARIABLES)) as emulator:
        seen = (await http.get(emulator.service_url("shop"))).json()
        assert (seen["K_SERVICE"], seen["K_CONFIGURATION"], seen["K_REVISION"]) == (
            "shop",
            "shop",
            "shop-00001-emu",
        )
        assert seen["GCE_METADATA_HOST"] == emulator.google_url.removeprefix("http://")
        assert seen["PATH"].startswith(str(Path(sys.executable).parent))
    with pytest.raises(ProcessLookupError):
        os.kill(seen["pid"], 0)


async def test_a_secret_in_our_environment_is_not_handed_to_a_container(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORP_SECRET", "hunter2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("TZ", "Europe/Zurich")
    async with Emulator(one_service(TELLS_ITS_VARIABLES)) as emulator:
        seen = (await http.get(emulator.service_url("shop"))).json()
    assert seen["TZ"] == "Europe/Zurich"
    assert set(seen) <= {
        *("PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION", "HOST", "PATH"),
        *("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"),
        *("GOOGLE_CLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS"),
        *("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "TMPDIR", "TZ"),
        "pid",
    }


async def test_a_container_that_died_is_unavailable_and_hangs_nobody(http: httpx2.AsyncClient) -> None:
    async with Emulator(one_service(TELLS_ITS_VARIABLES)) as emulator:
        shop = emulator.service_url("shop")
        os.kill((await http.get(shop)).json()["pid"], signal.SIGKILL)
        async with asyncio.timeout(2):
            answered = await http.get(shop)
        assert (answered.status_code, answered.text) == (503, "Service Unavailable")


async def test_a_command_that_ends_at_once_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ContainerFailed) as failed:
        await Emulator(one_service("raise SystemExit('no animals')")).__aenter__()
    assert str(failed.value) == (
        "service shop: its command ended with status 1 before it listened on $PORT; what it printed says why"
    )
    assert capfd.readouterr().err == "no animals\n"


async def test_a_command_that_never_listens_is_told() -> None:
    with pytest.raises(
        ContainerFailed, match=r"did not listen on \$PORT \(\d+\) within 0.2 s; let it read \$PORT"
    ):
        await Emulator(one_service("import time; time.sleep(60)", startup_timeout="200ms")).__aenter__()


async def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(ContainerFailed) as failed:
        await Emulator(one_service("", command=["no-such-command"])).__aenter__()
    assert (
        str(failed.value)
        == "service shop: its command 'no-such-command' cannot start: No such file or directory"
    )
