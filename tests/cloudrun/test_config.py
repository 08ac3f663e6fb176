"""emulator.yaml: what it takes, and what it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.cloudrun.emulator.service_accounts import KeyFileRefused

BACKEND = {"url": "http://127.0.0.1:9999", "listen": "127.0.0.1:0"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"services": {"zoo": {"listen": "127.0.0.1:0"}}}, "a service has either a command or a url"),
        ({"services": {"zoo": BACKEND | {"command": ["zoo"]}}}, "a service has either a command or a url"),
        (
            {"services": {"zoo": BACKEND | {"url": "http://127.0.0.1:9/mcp"}}},
            "the url of a service is an origin, such as http://127.0.0.1:9999: leave out its path",
        ),
        (
            {"services": {"zoo": BACKEND | {"invokers": ["caller"]}}},
            "an invoker is serviceAccount:EMAIL, user:EMAIL, domain:NAME, allUsers or allAuthenticatedUsers",
        ),
        (
            {"metadata": {"service_account": "caller"}},
            "there is no service account caller: name it under service_accounts",
        ),
        (
            {"listen": "0.0.0.0:8085"},
            "the emulator gives tokens to whoever asks, so it listens on loopback addresses only",
        ),
    ],
)
def test_what_cannot_work_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        EmulatorSettings.model_validate(settings)
    assert [fault["msg"] for fault in refused.value.errors()] == [f"Value error, {message}"]


def key_for(path: Path) -> EmulatorSettings:
    return EmulatorSettings.model_validate(
        {"listen": "127.0.0.1:0", "service_accounts": {"caller": {"key_file": path}}}
    )


async def test_a_key_of_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "caller.json"
    async with Emulator(key_for(path)):
        first = json.loads(path.read_text())
    async with Emulator(key_for(path)):
        second = json.loads(path.read_text())
    assert first["private_key_id"] != second["private_key_id"]
    assert first["client_id"] == second["client_id"]


async def test_somebody_elses_key_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "real.json"
    path.write_text('{"type": "service_account"}')
    with pytest.raises(KeyFileRefused) as refused:
        await Emulator(key_for(path)).__aenter__()
    assert (
        str(refused.value)
        == f"{path} is there already and is no key of the emulator: move it, or name another file"
    )
    assert path.read_text() == '{"type": "service_account"}'
