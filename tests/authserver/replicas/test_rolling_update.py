"""Two versions of a configuration, one after the other, on one store: what either gave, both take."""

from __future__ import annotations

from typing import Any

from tests.authserver.agreed import APP, renewal, settings, sign_in
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Server, Start

from ostiary.identity.jwt_verifier import read_jwt

ISSUER = "http://127.0.0.1:9"
"""Both are one issuer; each is asked where it listens."""
GATEWAY = {
    "client_id": "gateway",
    "client_secret": SECRET,
    "grant_types": ["client_credentials"],
    "resources": [RESOURCE],
}
STEP = 30.0
"""Seconds: as old as a replica's view of the keys may be."""


def version(**changes: Any) -> dict[str, Any]:
    return settings(issuer=ISSUER, clients=[APP, GATEWAY]) | changes


async def is_active(server: Server, token: str) -> bool:
    told = await server.post("/oauth/introspect", {"token": token}, auth=("gateway", SECRET))
    return bool(told.json()["active"])


async def test_rolling_update_refuses_nothing(start: Start, clock: Clock) -> None:
    """The new version signs with another algorithm, and knows one more resource."""
    more = version()
    more["resources"].append(more["resources"][0] | {"resource": "https://zoo.example.com/mcp"})
    more["signing"] = {"algorithm": "RS256"}
    async with start(version()) as old, start(more) as new:
        tokens = await sign_in(old)
        given: list[tuple[float, str]] = []
        algorithms = set()
        for turn in range(60):
            one, other = (old, new) if turn % 2 else (new, old)
            await one.server.services.signing.refresh()
            answered = await other.token(renewal(tokens["refresh_token"]))
            assert answered.status_code == 200, answered.text
            tokens = answered.json()
            given = [(end, token) for end, token in given if end > clock()]
            given.append((clock() + tokens["expires_in"], tokens["access_token"]))
            algorithms.add(read_jwt(tokens["access_token"]).alg)
            for _, token in given[-3:] + given[:1]:
                assert await is_active(one, token)
                assert await is_active(other, token)
            clock.advance(STEP)
    assert algorithms == {"ES256", "RS256"}
