"""The metadata server, where google-auth does not look."""

from __future__ import annotations

import httpx2
import pytest

from ostiary.cloudrun.emulator import Emulator, EmulatorSettings

ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default"


async def test_whoever_does_not_send_the_flavor_gets_nothing(
    emulator: Emulator, http: httpx2.AsyncClient
) -> None:
    answered = await http.get(f"{emulator.google_url}{ACCOUNT}/token")
    assert (answered.status_code, answered.text) == (403, "Missing Metadata-Flavor:Google header.\n")
    assert emulator.minted == {}


async def test_a_request_through_a_proxy_gets_nothing(google: httpx2.AsyncClient) -> None:
    answered = await google.get(f"{ACCOUNT}/token", headers={"X-Forwarded-For": "10.0.0.1"})
    assert answered.status_code == 403


async def test_the_probe_is_answered_with_the_flavor(emulator: Emulator, http: httpx2.AsyncClient) -> None:
    answered = await http.get(emulator.google_url)
    assert (answered.status_code, answered.headers["Metadata-Flavor"]) == (200, "Google")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("project/project-id", "demo-project"),
        ("project/numeric-project-id", "123456789012"),
        ("instance/region", "projects/123456789012/regions/europe-west1"),
        ("instance/service-accounts/", "default/\ncaller@demo-project.iam.gserviceaccount.com/\n"),
        ("instance/service-accounts/default/email", "caller@demo-project.iam.gserviceaccount.com"),
    ],
)
async def test_it_tells_where_and_who_we_are(google: httpx2.AsyncClient, path: str, text: str) -> None:
    assert (await google.get(f"/computeMetadata/v1/{path}")).text == text


async def test_an_id_token_needs_an_audience(google: httpx2.AsyncClient) -> None:
    answered = await google.get(f"{ACCOUNT}/identity")
    assert (answered.status_code, answered.text) == (400, "non-empty audience parameter required\n")


async def test_it_speaks_for_one_account_only(google: httpx2.AsyncClient) -> None:
    answered = await google.get("/computeMetadata/v1/instance/service-accounts/someone@example.com/token")
    assert answered.status_code == 404


async def test_without_the_setting_there_is_none() -> None:
    async with Emulator(EmulatorSettings.model_validate({"listen": "127.0.0.1:0"})) as emulator:
        async with httpx2.AsyncClient(trust_env=False) as http:
            assert (await http.get(emulator.google_url)).status_code == 404
        assert "GCE_METADATA_HOST" not in emulator.environment()
