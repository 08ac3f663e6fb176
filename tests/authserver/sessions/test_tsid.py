"""The name of a session, which stands in its tokens for everybody to read, opens nothing."""

from __future__ import annotations

from tests.authserver.agreed import APP, claims_of, redemption, refresh, settings, sign_in
from tests.authserver.conftest import RESOURCE, SECRET, Start

from ostiary.storage.store import digest

GATEWAY = {
    "client_id": "gateway",
    "client_secret": SECRET,
    "grant_types": ["client_credentials"],
    "resources": [RESOURCE],
}


async def test_tsid_alone_is_no_credential(start: Start) -> None:
    """Whoever read it in a token, a log or a trace has nothing; nor has who read its hash in the store."""
    async with start(settings(clients=[APP, GATEWAY])) as server:
        tokens = await sign_in(server, scopes=("openid", "mcp"))
        tsid = (await claims_of(server, tokens["access_token"]))["tsid"]
        for known in (tsid, digest(tsid)):
            bearer = {"authorization": f"Bearer {known}"}
            told = await server.http.get(f"{server.issuer}/oauth/userinfo", headers=bearer)
            assert told.status_code == 401
            introspected = await server.post("/oauth/introspect", {"token": known}, auth=("gateway", SECRET))
            assert introspected.json() == {"active": False}
            assert (await refresh(server, known)).json()["error"] == "invalid_grant"
            assert (await server.token(redemption(known))).json()["error"] == "invalid_grant"
            await server.post("/oauth/revoke", {"token": known, "client_id": "app"})
        assert (await refresh(server, tokens["refresh_token"])).status_code == 200  # nothing has ended
