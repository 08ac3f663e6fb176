"""A client's own token, RFC 6749 section 4.4."""

from __future__ import annotations

import json

from joserfc import jwt
from joserfc.jwk import KeySet
from tests.authserver.conftest import RESOURCE, SECRET, Start

from ostiary.oauth.jwt_parts import jwt_parts

FORM = {"grant_type": "client_credentials"}
CI = ("ci", SECRET)


async def test_a_client_gets_a_token_for_the_only_resource(start: Start) -> None:
    async with start() as server:
        answered = await server.token(FORM | {"scope": "mcp"}, auth=CI)
        keys = (await server.http.get(f"{server.issuer}/.well-known/jwks.json")).json()
    assert answered.status_code == 200
    assert answered.headers["cache-control"] == "no-store"
    body = answered.json()
    token = jwt.decode(body.pop("access_token"), KeySet.import_key_set(keys), algorithms=["ES256"])
    assert body == {"token_type": "Bearer", "expires_in": 900, "scope": "mcp"}
    assert token.header == {"alg": "ES256", "typ": "at+jwt", "kid": keys["keys"][0]["kid"]}
    assert len(token.claims.pop("jti")) == 22
    assert token.claims == {
        "iss": server.issuer,
        "sub": "ci",
        "aud": RESOURCE,
        "client_id": "ci",
        "scope": "mcp",
        "iat": 1_800_000_000,
        "exp": 1_800_000_900,
    }


async def test_a_wrong_secret_and_an_unknown_client_get_the_same_answer(start: Start) -> None:
    async with start() as server:
        wrong = await server.token(FORM, auth=("ci", "wrong"))
        unknown = await server.token(FORM, auth=("nobody", "wrong"))
    for refused in (wrong, unknown):
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == 'Basic realm="ostiary", charset="UTF-8"'
        assert refused.json() == {
            "error": "invalid_client",
            "error_description": "the client is unknown or did not prove who it is",
        }


async def test_the_audit_says_who_got_what(start: Start) -> None:
    async with start() as server:
        token = (await server.token(FORM, auth=CI)).json()["access_token"]
        jti = jwt_parts(token).claims["jti"]
        _key_made, *events = map(json.loads, server.audit_file.read_text().splitlines())
    assert events == [
        {
            "time": "2027-01-15T08:00:00.000+00:00",
            "event": "token_issued",
            "client": "ci",
            "grant": "client_credentials",
            "scopes": ["mcp", "admin"],
            "address": "127.0.0.1",
            "subject": "ci",
            "resource": RESOURCE,
            "jti": jti,
        }
    ]


async def test_the_metadata_is_found_where_clients_look(start: Start) -> None:
    async with start() as server:
        for name in ("oauth-authorization-server", "openid-configuration"):
            document = (await server.http.get(f"{server.issuer}/.well-known/{name}")).json()
            assert document["issuer"] == server.issuer
            assert document["code_challenge_methods_supported"] == ["S256"]
