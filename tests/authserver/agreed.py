"""What a person agreed to, as a sign-in leaves it: the code, and what comes after it, without a browser."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx2
import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import Connection
from tests.authserver.conftest import RESOURCE, SECRET, Server, basic_settings

from ostiary.authserver import authorization_codes, device_codes
from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.authserver.upstream_account import Identity, UpstreamAccount, UpstreamTokens
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.dpop_proof import dpop_proof
from ostiary.oauth.client.pkce import s256

VERIFIER = "the-verifier-of-the-app-with-43-characters-"
CALLBACK = "https://app.example.com/callback"
ON_THIS_MACHINE = "http://127.0.0.1:7777/callback"
APP: dict[str, Any] = {"client_id": "app", "redirect_uris": [CALLBACK]}
"""A public client, of a website."""
WEB: dict[str, Any] = {
    "client_id": "web",
    "client_secret": SECRET,
    "redirect_uris": ["https://web.example.com/callback"],
}
"""A confidential one."""
TV: dict[str, Any] = {"client_id": "tv", "grant_types": ["device_code", "refresh_token"]}
"""A device, which is a public client."""
ALICE = Identity(
    "http://127.0.0.1:9",
    "248289761001",
    name="Alice",
    email="alice@example.com",
    email_verified=True,
    claims={"groups": ["staff", "keepers"]},
)
TOKENS = UpstreamTokens("upstream-access-token", "upstream-refresh-token", expires_at=1_800_003_600.0)


def corp(tokens: UpstreamTokens = TOKENS) -> UpstreamAccount:
    """The login at the identity provider."""
    return UpstreamAccount("corp", ALICE.issuer, ALICE.subject, "ostiary", tokens, "alice@example.com", ALICE)


def settings(**more: Any) -> dict[str, Any]:
    """With clients of both kinds that people sign in for, and a provider that is never there."""
    basic = basic_settings(clients=[APP, WEB])
    basic["upstream_idps"][0] |= {"issuer": ALICE.issuer, "revalidate": "never"}
    return basic | more


def agreed(**changes: Any) -> AuthorizationGrant:
    """What Alice lets `app` do."""
    grant = AuthorizationGrant(
        client_id="app",
        identity=ALICE,
        resource=RESOURCE,
        owner="default/gateway",
        scopes=("mcp",),
        auth_time=1_799_999_990,
        accounts=(corp(),),
        redirect_uri=CALLBACK,
        code_challenge=s256(VERIFIER),
    )
    return msgspec.structs.replace(grant, **changes)


async def give_code(server: Server, **changes: Any) -> str:
    """A code for it."""
    services = server.server.services
    lifetime = services.settings.tokens.code.total_seconds()
    grant = agreed(**changes)
    return await services.store.transaction(
        lambda connection: authorization_codes.new_code(
            connection, services.store, grant, now=services.clock(), lifetime=lifetime
        )
    )


def redemption(code: str, **changes: str | None) -> dict[str, str]:
    """The form that redeems it; None leaves a parameter out."""
    form: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": "app",
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    return {name: value for name, value in (form | changes).items() if value is not None}


async def sign_in(server: Server, **changes: Any) -> dict[str, Any]:
    """The tokens that Alice's agreement gives `app`."""
    answered = await server.token(redemption(await give_code(server, **changes)))
    assert answered.status_code == 200, answered.text
    body: dict[str, Any] = answered.json()
    return body


async def refresh(
    server: Server, token: str, *, headers: dict[str, str] | None = None, **changes: str
) -> httpx2.Response:
    """A refresh request of `app`."""
    return await server.token(renewal(token) | changes, headers=headers or {})


def renewal(token: str) -> dict[str, str]:
    """Its form."""
    return {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app"}


async def approve(server: Server, user_code: str, **changes: Any) -> bool:
    """Alice lets the device in that shows this code."""
    services = server.server.services
    grant = agreed(client_id="tv", redirect_uri=None, code_challenge=None, **changes)

    def decide(connection: Connection) -> bool:
        waiting = device_codes.find_waiting(connection, services.store, user_code, now=services.clock())
        return waiting is not None and device_codes.approve(
            connection, services.store, waiting.device_hash, grant, now=services.clock()
        )

    return await services.store.transaction(decide)


def proof(
    server: Server,
    key: ECKey,
    *,
    now: float,
    method: str = "POST",
    path: str = "/oauth/token",
    access_token: str | None = None,
) -> dict[str, str]:
    """A header that proves a key (RFC 9449)."""
    jti, url = secrets.token_urlsafe(), canonical_url(server.issuer + path)
    made = dpop_proof(key, method=method, url=url, now=now, jti=jti, access_token=access_token)
    return {"dpop": made}


async def claims_of(server: Server, token: str) -> dict[str, Any]:
    """What a token of ours says, once its signature was checked as anybody can."""
    keys = (await server.http.get(f"{server.issuer}/.well-known/jwks.json")).json()
    return dict(jwt.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"]).claims)


def refusal(description: str, error: str = "invalid_grant") -> dict[str, str]:
    """The body of an error."""
    return {"error": error, "error_description": description}


def events(server: Server, name: str) -> list[dict[str, Any]]:
    """The audit's lines of one kind."""
    lines = map(json.loads, server.audit_file.read_text().splitlines())
    return [line for line in lines if line["event"] == name]
