"""Clients prove who they are by secrets and by their own statements, RFC 6749 section 2.3, RFC 7523."""

from __future__ import annotations

import base64
import contextlib
import hmac
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from joserfc.jwk import OKPKey, RSAKey
from tests.authserver.clients.conftest import REDIRECT, Site, Trap, audit
from tests.authserver.clients.signing import form, new_key, public, signed, statement
from tests.authserver.conftest import SECRET, Clock, Server, Start, basic_settings

NO_SUCH_KEY = "the client assertion is signed with a key that its issuer does not have"
UNPROVEN = "the client is unknown or did not prove who it is"
CREDENTIALS = {"grant_type": "client_credentials"}
KEY = new_key()


def settings(**client: Any) -> dict[str, Any]:
    """A configuration with a client that signs, and one with a secret."""
    signing = {"client_id": "robot", "grant_types": ["client_credentials"], "jwks": public(KEY)} | client
    secret = {"client_id": "ci", "client_secret": SECRET, "grant_types": ["client_credentials"]}
    return basic_settings(clients=[signing, secret])


def said(answered: httpx2.Response) -> str:
    """Why it was refused, all being well; `ok` when it was not."""
    if answered.status_code == 200:
        return "ok"
    body = answered.json()
    assert (answered.status_code, body["error"]) == (401, "invalid_client")
    return str(body["error_description"])


# secrets


async def test_each_refusal_looks_alike_outside_and_is_told_apart_in_the_audit(start: Start) -> None:
    async with start() as server:
        outside = [
            said(await server.token(CREDENTIALS, auth=("ci", "wrong"))),
            said(await server.token(CREDENTIALS, auth=("nobody", SECRET))),
            said(await server.token(CREDENTIALS | {"client_id": "ci", "client_secret": SECRET})),
            said(await server.token(CREDENTIALS | {"client_id": "ci"})),
        ]
        events = audit(server)
    assert outside == [UNPROVEN] * 4
    assert events == [
        {"event": "client_refused", "client": client, "method": method, "reason": reason}
        for client, method, reason in [
            ("ci", "client_secret_basic", "the secret is wrong"),
            ("nobody", "client_secret_basic", "there is no such client"),
            (
                "ci",
                "client_secret_post",
                "it came by client_secret_post and is registered for client_secret_basic",
            ),
            ("ci", "none", "it came by none and is registered for client_secret_basic"),
        ]
    ]


async def test_a_secret_in_both_places_is_refused(start: Start) -> None:
    async with start() as server:
        refused = await server.token(CREDENTIALS | {"client_secret": SECRET}, auth=("ci", SECRET))
    assert refused.json() == {
        "error": "invalid_request",
        "error_description": "the client authenticates in more than one way: choose one",
    }


async def test_no_secret_stands_in_the_audit(start: Start) -> None:
    async with start() as server:
        await server.token(CREDENTIALS, auth=("ci", "swordfish"))
        assert "swordfish" not in server.audit_file.read_text()


# its own statement


@pytest.mark.parametrize("audience", ["{issuer}", "{issuer}/oauth/token"])
async def test_a_statement_for_the_issuer_or_its_endpoint_is_taken(
    start: Start, clock: Clock, audience: str
) -> None:
    async with start(settings()) as server:
        claims = statement("robot", audience.format(issuer=server.issuer), clock())
        assert said(await server.token(form(signed(KEY, claims)))) == "ok"


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (OKPKey.generate_key("Ed25519", {"kid": "ed"}, private=True), "EdDSA"),
        (RSAKey.generate_key(2048, {"kid": "rsa"}, private=True), "PS256"),
    ],
)
async def test_other_kinds_of_keys_sign_too(start: Start, clock: Clock, key: Any, alg: str) -> None:
    async with start(settings(jwks=public(KEY, key))) as server:
        claims = statement("robot", server.issuer, clock())
        with pytest.warns() if alg == "EdDSA" else contextlib.nullcontext():
            token = signed(key, claims, alg=alg)
        assert said(await server.token(form(token))) == "ok"


async def test_assertion_replay(start: Start, clock: Clock) -> None:
    used = "the client assertion was used before; sign a new one for each request"
    async with start(settings()) as server:
        claims = statement("robot", server.issuer, clock())
        first = said(await server.token(form(signed(KEY, claims))))
        again = said(await server.token(form(signed(KEY, claims))))
        same_name = said(await server.token(form(signed(KEY, claims | {"iat": clock() + 1}))))
        other = said(await server.token(form(signed(KEY, claims | {"jti": "two"}))))
    assert (first, again, same_name, other) == ("ok", used, used, "ok")


async def test_assertion_replay_after_a_restart(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        port = int(server.issuer.rpartition(":")[2])
        token = signed(KEY, statement("robot", server.issuer, clock()))
        assert said(await server.token(form(token))) == "ok"
    async with start(settings(), port=port) as server:
        refused = said(await server.token(form(token)))
    assert refused == "the client assertion was used before; sign a new one for each request"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": -31}, "the client assertion has expired"),
        ({"exp": 331}, "the client assertion is good for longer than 300 seconds"),
        ({"nbf": 31}, "the client assertion is not valid yet"),
    ],
)
async def test_assertion_out_of_its_time(
    start: Start, clock: Clock, claims: dict[str, float], reason: str
) -> None:
    moved = {name: clock() + seconds for name, seconds in claims.items()}
    async with start(settings()) as server:
        token = signed(KEY, statement("robot", server.issuer, clock(), **moved))
        assert said(await server.token(form(token))) == reason


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": None}, "the client assertion lacks a proper exp claim"),
        ({"jti": None}, "the client assertion lacks a jti of 1 to 256 printable characters"),
        ({"aud": "https://other.example.com"}, "the client assertion is for another audience"),
        ({"aud": None}, "the client assertion lacks a proper aud claim"),
    ],
)
async def test_assertion_that_claims_something_else(
    start: Start, clock: Clock, claims: dict[str, Any], reason: str
) -> None:
    async with start(settings()) as server:
        token = signed(KEY, statement("robot", server.issuer, clock(), **claims))
        assert said(await server.token(form(token))) == reason


async def test_assertion_for_somebody_else_as_well(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        claims = statement("robot", [server.issuer, "https://other.example.com"], clock())
        refused = said(await server.token(form(signed(KEY, claims))))
    assert refused == "the client assertion is for somebody else as well"


async def test_an_access_token_is_no_assertion(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        token = signed(KEY, statement("robot", server.issuer, clock()), typ="at+jwt")
        refused = said(await server.token(form(token)))
    assert refused == "the client assertion is another kind of JWT"


async def test_kid_unknown(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        token = signed(KEY, statement("robot", server.issuer, clock()), kid="../../etc/passwd")
        refused = said(await server.token(form(token)))
    assert refused == NO_SUCH_KEY


def with_shared_secret(token: str, secret: bytes) -> str:
    """The same claims, signed with HS256: libraries refuse to do this with a public key."""
    signing_input = b64(b'{"alg":"HS256","kid":"k1"}') + "." + token.split(".")[1]
    return signing_input + "." + b64(hmac.digest(secret, signing_input.encode(), "sha256"))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def test_algorithm_confusion(start: Start, clock: Clock) -> None:
    """HS256 with the public key as the secret, and no signature at all."""
    async with start(settings()) as server:
        claims = statement("robot", server.issuer, clock())
        good = signed(KEY, claims)
        symmetric = with_shared_secret(good, KEY.as_pem(private=False))
        unsigned = "eyJhbGciOiJub25lIn0." + good.split(".")[1] + "."
        answers = [said(await server.token(form(token))) for token in (symmetric, unsigned)]
    assert answers == [
        "the client assertion is signed with a shared secret, which is not accepted",
        "the client assertion is not signed",
    ]


@pytest.mark.parametrize("header", ["jku", "x5u", "jwk"])
async def test_headers_that_bring_their_own_key_are_never_followed(
    start: Start, clock: Clock, trap: Trap, header: str
) -> None:
    attackers = new_key()
    value = attackers.as_dict(private=False) if header == "jwk" else f"https://127.0.0.1:{trap.port}/jwks"
    async with start(settings()) as server:
        token = signed(attackers, statement("robot", server.issuer, clock()), **{header: value})
        refused = said(await server.token(form(token)))
    assert refused == "the client assertion's signature is wrong"
    assert trap.reached == 0


async def test_a_client_speaks_for_itself_alone(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        claims = statement("ci", server.issuer, clock())
        for_other = said(await server.token(form(signed(KEY, claims))))
        named_other = said(
            await server.token(form(signed(KEY, statement("robot", server.issuer, clock())), client_id="ci"))
        )
        changed = said(
            await server.token(form(signed(KEY, statement("robot", server.issuer, clock(), sub="ci"))))
        )
    assert for_other == NO_SUCH_KEY  # as for one that signs, so that nobody learns who does
    assert named_other == "client_id is another one than in the client_assertion"
    assert changed == "the workload's assertion is from an issuer that is not accepted here"


# keys at an address


async def test_keys_at_an_address_are_fetched_again_for_a_key_that_is_not_there(
    start: Start, site: Site, clock: Clock
) -> None:
    site.keys = public(KEY)
    where: dict[str, Any] = {
        "jwks": None,
        "jwks_uri": f"{site.origin}/jwks.json",
        "ca_file": str(site.authority.file),
    }
    async with start(settings(**where)) as server:

        async def ask(key: Any, jti: str) -> str:
            return said(
                await server.token(form(signed(key, statement("robot", server.issuer, clock(), jti=jti))))
            )

        assert await ask(KEY, "a") == "ok"
        assert await ask(KEY, "b") == "ok"
        assert site.asked == ["/jwks.json"]
        rotated = new_key("k2")
        site.keys = public(rotated)
        clock.advance(60)
        assert await ask(rotated, "c") == "ok"
        site.status = 500
        assert (
            await ask(KEY, "d") == "the client assertion is signed with a key that its issuer does not have"
        )


async def test_keys_that_cannot_be_fetched_are_the_servers_trouble(start: Start, clock: Clock) -> None:
    where: dict[str, Any] = {"jwks": None, "jwks_uri": "https://127.0.0.1:1/jwks.json"}
    async with start(settings(**where)) as server:
        answered = await server.token(form(signed(KEY, statement("robot", server.issuer, clock()))))
    assert answered.status_code == 503
    assert answered.headers["retry-after"] == "5"
    assert answered.json() == {
        "error": "temporarily_unavailable",
        "error_description": "the client's keys cannot be fetched now; nothing was spent",
    }


def of_document(site: Site, **members: Any) -> dict[str, Any]:
    return site.document | {"token_endpoint_auth_method": "private_key_jwt"} | members


async def ask_as_document(server: Server, site: Site, clock: Clock, jti: str) -> httpx2.Response:
    claims = statement(site.client_id, server.issuer, clock(), jti=jti)
    return await server.token(form(signed(KEY, claims)))


async def test_a_document_brings_keys_or_says_where_they_are(start: Start, site: Site, clock: Clock) -> None:
    async with start(site.settings()) as server:
        site.document = of_document(site, jwks=public(KEY))
        inline = await ask_as_document(server, site, clock, "a")
        clock.advance(600)
        site.document = of_document(site, jwks=None, jwks_uri=f"{site.origin}/jwks.json")
        site.keys = public(KEY)
        fetched = await ask_as_document(server, site, clock, "b")
    assert inline.json()["error"] == fetched.json()["error"] == "unauthorized_client"
    assert site.asked == ["/client.json", "/client.json", "/jwks.json"]


OUT_OF_REACH = "the client's jwks_uri leads to an address from which no keys are fetched"


def at(jwks_uri: str) -> dict[str, Any]:
    return {
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": jwks_uri,
    }


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "[fd00::1]", "[::ffff:7f00:1]"]
)
async def test_a_client_whose_keys_are_inside_is_not_registered(start: Start, trap: Trap, host: str) -> None:
    async with start(basic_settings(registration={"dynamic": True})) as server:
        refused = await server.http.post(
            f"{server.issuer}/oauth/register", json=at(f"https://{host}:{trap.port}/jwks.json")
        )
    assert refused.status_code == 400
    assert refused.json() == {"error": "invalid_client_metadata", "error_description": OUT_OF_REACH}
    assert trap.reached == 0


async def test_cimd_jwks_uri_that_leads_inside(start: Start, site: Site, clock: Clock) -> None:
    site.document = of_document(site, jwks_uri="https://169.254.169.254/jwks.json")
    async with start(site.settings()) as server:
        answered = await ask_as_document(server, site, clock, "a")
    assert (answered.status_code, said(answered)) == (401, OUT_OF_REACH)
    assert site.asked == ["/client.json"]


async def test_keys_of_a_stranger_whose_name_leads_inside_are_a_final_no(
    start: Start, trap: Trap, clock: Clock, resolves: Callable[[str], None]
) -> None:
    """Told as `temporarily_unavailable` it had the client come back for ever."""
    resolves("127.0.0.1")
    async with start(basic_settings(registration={"dynamic": True})) as server:
        metadata = at(f"https://client.example:{trap.port}/jwks.json")
        registered = await server.http.post(f"{server.issuer}/oauth/register", json=metadata)
        client_id = registered.json()["client_id"]
        answers = [
            await server.token(form(signed(KEY, statement(client_id, server.issuer, clock(), jti=jti))))
            for jti in "ab"
        ]
    for answered in answers:
        assert answered.status_code == 401
        assert answered.json() == {"error": "invalid_client", "error_description": OUT_OF_REACH}
        assert "retry-after" not in answered.headers
    assert trap.reached == 0


async def test_the_metadata_says_how_clients_authenticate(start: Start) -> None:
    async with start() as server:
        document = (await server.http.get(f"{server.issuer}/.well-known/openid-configuration")).json()
    assert document["token_endpoint_auth_methods_supported"] == [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none",
    ]
    assert "HS256" not in document["token_endpoint_auth_signing_alg_values_supported"]
    assert "none" not in document["token_endpoint_auth_signing_alg_values_supported"]
    assert document["dpop_signing_alg_values_supported"] == ["ES256", "EdDSA", "Ed25519", "PS256", "RS256"]
    assert "mtls_endpoint_aliases" not in document
