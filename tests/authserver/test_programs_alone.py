"""A resource that nobody signs in for: programs get tokens, people do not."""

from __future__ import annotations

from tests.authserver.agreed import APP, TV
from tests.authserver.conftest import RESOURCE, SECRET, Start
from tests.authserver.person import authorize_url

MACHINE = {"client_id": "ci", "client_secret": SECRET, "grant_types": ["client_credentials"]}
ALONE = {
    "resources": [{"resource": RESOURCE, "owner": "default/gateway", "scopes": ["mcp"]}],
    "clients": [MACHINE, APP, TV],
}
WHY = f"nobody signs in for {RESOURCE}: it is for programs alone"


async def test_a_program_gets_a_token(start: Start) -> None:
    async with start(ALONE) as server:
        answered = await server.token({"grant_type": "client_credentials"}, auth=("ci", SECRET))
        assert answered.json()["scope"] == "mcp"


async def test_an_authorization_request_is_told_why_not(start: Start) -> None:
    async with start(ALONE) as server:
        answered = await server.http.get(authorize_url(server))
        told = answered.headers["location"]
        assert "error=invalid_target" in told
        assert "for+programs+alone" in told or "for%20programs%20alone" in told


async def test_a_device_is_told_why_not(start: Start) -> None:
    async with start(ALONE) as server:
        answered = await server.post("/oauth/device_authorization", {"client_id": "tv", "scope": "mcp"})
        assert answered.json() == {"error": "invalid_target", "error_description": WHY}


async def test_there_are_no_accounts_to_see(start: Start) -> None:
    async with start(ALONE) as server:
        answered = await server.http.get(f"{server.issuer}/connections")
        assert answered.status_code == 404
        assert "Nobody signs in here" in answered.text
