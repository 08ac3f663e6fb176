"""Google ID tokens from the local Google, taken for good by the way in."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ostiary.cloudrun.emulator.config import EmulatorSettings
from ostiary.cloudrun.emulator.emulator import Emulator
from ostiary.credentials import GoogleIdToken
from ostiary.credentials.google.iam import IAM_ENDPOINT_OVERRIDE
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.runtime import Runtime
from ostiary.identity.authenticator import Authenticator
from ostiary.identity.inbound_settings import GoogleIdTokenInbound
from ostiary.identity.key_sets import KeySets
from ostiary.oauth.canonical_url import canonical_url
from ostiary.transport.fetch import Fetcher

SERVER = canonical_url("https://mcp.example.com/mcp")
REQUEST = OutgoingRequest("POST", SERVER)


@pytest.mark.parametrize("impersonate", [None, "runtime@demo-project.iam.gserviceaccount.com"])
async def test_a_token_of_the_local_google_names_its_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, impersonate: str | None
) -> None:
    key_file = tmp_path / "caller.json"
    settings = EmulatorSettings.model_validate(
        {
            "listen": "127.0.0.1:0",
            "project": "demo-project",
            "service_accounts": {
                "caller": {"key_file": str(key_file)},
                "runtime": {"token_creators": ["caller"]},
            },
        }
    )
    async with Emulator(settings) as emulator, Runtime() as runtime:
        monkeypatch.setenv(IAM_ENDPOINT_OVERRIDE, emulator.google_url)
        credential = GoogleIdToken(key_file=key_file, impersonate=impersonate)
        [(_, value)] = await credential.attach(SERVER, runtime=runtime).get(REQUEST)
        allow = [{"email": "*@demo-project.iam.gserviceaccount.com"}]
        inbound = GoogleIdTokenInbound.model_validate(
            {"type": "google_id_token", "allow": allow, "jwks_url": emulator.jwks_url}
        )
        key_sets = KeySets(Fetcher(), time.time)
        authenticator = Authenticator([inbound], audiences=(SERVER.origin,), key_sets=key_sets)
        principal = await authenticator.authenticate(value.removeprefix("Bearer "))
    assert principal.claims["email"] == (impersonate or "caller@demo-project.iam.gserviceaccount.com")
