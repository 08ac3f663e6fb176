"""An issuer below a path of its host, RFC 8414 section 3.1: everything of it is below that path."""

from __future__ import annotations

from urllib.parse import urljoin

from tests.authserver.conftest import Clock, Start
from tests.authserver.person import world
from tests.peers.mcp_clients.client import free_port


async def test_a_person_signs_in_below_the_path(start: Start, clock: Clock) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    async with world(start, clock, hub="optional", issuer=f"{origin}/auth", port=port) as here:
        server = here.server
        for path in (
            "/.well-known/oauth-authorization-server/auth",
            "/auth/.well-known/openid-configuration",
        ):
            document = (await server.http.get(origin + path)).json()
            assert document["issuer"] == f"{origin}/auth"
            assert document["token_endpoint"] == f"{origin}/auth/oauth/token"
        person = await here.person()
        stranger = await here.stranger()
        seen = await person.authorize(client_id=stranger)
        links = [link.attributes["href"] for link in seen.html.all("link")]
        assert [link.partition("-")[0] for link in links] == ["/auth/oauth/icon", "/auth/oauth/style"]
        for link in links:
            assert (await server.http.get(urljoin(origin, link))).status_code == 200
        tokens = await person.tokens()
        assert tokens["token_type"] == "Bearer"
        assert all(url.startswith(f"{origin}/auth/") for url in person.passed if url.startswith(origin))
        assert (await person.open(f"{origin}/auth/connections")).status == 200
