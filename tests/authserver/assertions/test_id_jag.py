"""A company's IdP vouches for its user, MCP enterprise-managed authorization (ID-JAG)."""

from __future__ import annotations

import asyncio
import itertools
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web
from joserfc.jwk import ECKey
from pydantic import ValidationError
from sqlalchemy import Connection, select
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Server, Start, basic_settings
from tests.authserver.foreign_issuer import ForeignIssuer
from tests.peers.postgresql import PostgreSql

from ostiary.authserver import AuthServerSettings
from ostiary.authserver.assertions.assertion_policy import require_client_allowed
from ostiary.authserver.config.trusted_issuers import TrustedIssuer
from ostiary.authserver.upstream_account import UpstreamAccount, UpstreamTokens
from ostiary.authserver.upstream_grants.upsert import upsert
from ostiary.credentials import Bearer, IdJag
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.id_jag import IdpSettings
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.dpop_proof import dpop_proof
from ostiary.oauth.jwt_parts import jwt_parts
from ostiary.oauth.server.client import Client, ClientKind
from ostiary.oauth.server.errors import UnauthorizedClient
from ostiary.secrets import Secret
from ostiary.storage.schema import session_grants, token_sessions, users
from ostiary.storage.store import Store, digest

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TYP = "oauth-id-jag+jwt"
CLI = ("cli", SECRET)
OTHER = "https://mcp.example.com/other"

numbers = itertools.count()


@pytest.fixture
async def sso(clock: Clock) -> AsyncIterator[ForeignIssuer]:
    async with ForeignIssuer(clock).running() as issuer:
        yield issuer


def settings(sso: ForeignIssuer, **trusted: Any) -> dict[str, Any]:
    """Two resources, two clients that may bring assertions, and the company that vouches."""
    grants = ["jwt_bearer", "refresh_token"]
    return basic_settings(
        resources=[
            {
                "resource": RESOURCE,
                "owner": "default/gateway",
                "scopes": ["mcp", "admin"],
                "default_scopes": ["mcp", "admin"],
                "idps": ["corp"],
            },
            {"resource": OTHER, "owner": "default/other", "idps": ["corp"], "token_claims": ["groups"]},
        ],
        clients=[
            {"client_id": "cli", "client_secret": SECRET, "grant_types": grants},
            {"client_id": "web", "client_secret": SECRET, "grant_types": grants, "scopes": ["mcp"]},
            {"client_id": "ci", "client_secret": SECRET, "grant_types": ["client_credentials"]},
        ],
        trusted_issuers=[sso.settings | {"use": ["id_jag"]} | trusted],
    )


def id_jag(sso: ForeignIssuer, server: Server, *, typ: str | None = TYP, **changes: Any) -> str:
    """What the company's IdP says of ada, for cli."""
    claims = {
        "sub": "ada",
        "aud": server.issuer,
        "client_id": "cli",
        "resource": RESOURCE,
        "jti": f"jag-{next(numbers)}",
    }
    return sso.sign(claims | changes, typ=typ)


async def redeem(
    server: Server, assertion: str, auth: tuple[str, str] = CLI, **parameters: Any
) -> httpx2.Response:
    return await server.token({"grant_type": JWT_BEARER, "assertion": assertion, **parameters}, auth=auth)


async def claims_of(server: Server, assertion: str, **parameters: Any) -> dict[str, Any]:
    answered = await redeem(server, assertion, **parameters)
    assert answered.status_code == 200, answered.text
    return jwt_parts(answered.json()["access_token"]).claims


def refusal(answered: httpx2.Response, error: str = "invalid_grant", status: int = 400) -> str:
    body = answered.json()
    assert (answered.status_code, body["error"]) == (status, error), body
    return str(body["error_description"])


async def test_an_assertion_becomes_a_token_for_its_resource_and_no_refresh_token(
    start: Start, sso: ForeignIssuer
) -> None:
    async with start(settings(sso)) as server:
        answered = await redeem(server, id_jag(sso, server, scope="mcp admin", auth_time=1_799_999_000))
        _key_made, *events = map(json.loads, server.audit_file.read_text().splitlines())
    body = answered.json()
    token = jwt_parts(body.pop("access_token"))
    assert body == {"token_type": "Bearer", "expires_in": 900, "scope": "mcp admin"}
    assert token.header["typ"] == "at+jwt"
    subject, jti, tsid = token.claims.pop("sub"), token.claims.pop("jti"), token.claims.pop("tsid")
    assert str(uuid.UUID(subject)) == subject
    assert len(tsid) == 43
    assert token.claims == {
        "iss": server.issuer,
        "aud": RESOURCE,
        "client_id": "cli",
        "scope": "mcp admin",
        "iat": 1_800_000_000,
        "exp": 1_800_000_900,
        "auth_time": 1_799_999_000,
    }
    told = {"client": "cli", "subject": subject, "resource": RESOURCE, "session": digest(tsid)}
    assert [event.pop("event") for event in events] == ["session_started", "token_issued"]
    assert [event | {"time": ""} for event in events] == [
        told | {"owner": "default/gateway", "address": "127.0.0.1", "time": ""},
        told
        | {"grant": JWT_BEARER, "scopes": ["mcp", "admin"], "address": "127.0.0.1", "jti": jti, "time": ""},
    ]


async def test_it_is_the_person_who_signs_in_at_that_issuer(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        ada = await claims_of(server, id_jag(sso, server))
        again = await claims_of(server, id_jag(sso, server, resource=OTHER))
        bob = await claims_of(server, id_jag(sso, server, sub="bob"))
        people = await server.server.services.store.read(
            lambda connection: connection.execute(select(users.c.id, users.c.issuer, users.c.subject)).all()
        )
    assert ada["sub"] == again["sub"] != bob["sub"]
    assert sorted(people) == sorted([(ada["sub"], sso.url, "ada"), (bob["sub"], sso.url, "bob")])


async def test_the_next_assertion_goes_on_with_the_session(
    start: Start, sso: ForeignIssuer, clock: Clock
) -> None:
    async with start(settings(sso)) as server:
        first = await claims_of(server, id_jag(sso, server))
        clock.advance(899)
        second = await claims_of(server, id_jag(sso, server))
        narrower = await claims_of(server, id_jag(sso, server, scope="mcp"))
        elsewhere = await claims_of(server, id_jag(sso, server, resource=OTHER))
        rows = await server.server.services.store.read(
            lambda connection: connection.execute(select(token_sessions)).all()
        )
    assert second["tsid"] == first["tsid"]
    assert len({first["tsid"], narrower["tsid"], elsewhere["tsid"]}) == len(rows) == 3
    assert second["exp"] == clock.now + 900
    [row] = [row for row in rows if row.tsid_hash == digest(first["tsid"])]
    assert (row.created_at, row.used_at) == (clock.now - 899, clock.now)
    assert row.expires_at == clock.now + 30 * 86_400


async def test_revoking_one_token_ends_the_session_and_the_next_assertion_begins_another(
    start: Start, sso: ForeignIssuer
) -> None:
    async with start(settings(sso)) as server:
        tokens = [(await redeem(server, id_jag(sso, server))).json()["access_token"] for _ in range(2)]
        revoked = await server.post("/oauth/revoke", {"token": tokens[0]}, auth=CLI)
        known = await server.post("/oauth/introspect", {"token": tokens[1]}, auth=CLI)
        after = await claims_of(server, id_jag(sso, server))
    assert (revoked.status_code, known.json()) == (200, {"active": False})
    before = jwt_parts(tokens[0]).claims
    assert (after["sub"], after["tsid"] != before["tsid"]) == (before["sub"], True)


async def test_what_the_person_connected_belongs_to_the_session(
    start: Start, sso: ForeignIssuer, clock: Clock
) -> None:
    """At the page of connected accounts, when they signed in there themselves; and of this owner alone."""

    def connect(connection: Connection, store: Store, user_id: str) -> str:
        account = UpstreamAccount(
            idp="corp",
            issuer=sso.url,
            account="ada",
            client_id="ostiary",
            tokens=UpstreamTokens(access_token="at-corp"),
        )
        return upsert(
            connection, store, user_id=user_id, owner="default/gateway", account=account, now=clock.now
        )

    async with start(settings(sso)) as server:
        store = server.server.services.store
        elsewhere = await claims_of(server, id_jag(sso, server, resource=OTHER))
        bob = await claims_of(server, id_jag(sso, server, sub="bob"))
        grant_id = await store.transaction(lambda connection: connect(connection, store, elsewhere["sub"]))
        ada = await claims_of(server, id_jag(sso, server))
        elsewhere_again = await claims_of(server, id_jag(sso, server, resource=OTHER))
        pointing = await store.read(lambda connection: connection.execute(select(session_grants)).all())
    assert elsewhere_again["tsid"] == elsewhere["tsid"] != bob["tsid"]
    assert [tuple(row) for row in pointing] == [(digest(ada["tsid"]), grant_id)]


async def test_scopes_are_what_the_client_asks_for_and_the_company_allows(
    start: Start, sso: ForeignIssuer
) -> None:
    async with start(settings(sso)) as server:
        asked = await claims_of(server, id_jag(sso, server, scope="mcp files"), scope="admin mcp")
        silent = await claims_of(server, id_jag(sso, server), scope="admin")
        nothing_asked = await claims_of(server, id_jag(sso, server, scope="admin files"))
        none_left = await redeem(server, id_jag(sso, server, scope="files"))
        none_allowed = await redeem(server, id_jag(sso, server, scope="mcp"), scope="admin")
        unknown = await redeem(server, id_jag(sso, server, scope="files"), scope="files")
        own = await redeem(server, id_jag(sso, server, client_id="web", scope="mcp admin"), ("web", SECRET))
        too_much = await redeem(server, id_jag(sso, server, client_id="web"), ("web", SECRET), scope="admin")
    assert (asked["scope"], silent["scope"], nothing_asked["scope"]) == ("mcp", "admin", "admin")
    for refused in (none_left, none_allowed):
        assert refusal(refused, "invalid_scope") == "the assertion allows none of these scopes"
    assert refusal(unknown, "invalid_scope") == "the scope files is unknown here, or not for this client"
    assert own.json()["scope"] == "mcp"
    assert refusal(too_much, "invalid_scope") == "the scope admin is unknown here, or not for this client"


async def test_the_claims_that_a_resource_asks_for_are_taken_from_the_assertion(
    start: Start, sso: ForeignIssuer
) -> None:
    async with start(settings(sso, claims={"groups": "roles"}, subject_claim="oid")) as server:
        claims = await claims_of(
            server, id_jag(sso, server, resource=OTHER, roles=["ops"], groups=["root"], oid="o-1")
        )
        plain = await claims_of(server, id_jag(sso, server, roles=["ops"], oid="o-1"))
        nobody = await redeem(server, id_jag(sso, server, oid=7))
    assert claims["groups"] == ["ops"]
    assert "groups" not in plain
    assert plain["sub"] == claims["sub"]
    assert refusal(nobody) == "the assertion lacks a proper oid claim"


async def test_an_assertion_that_is_bound_to_a_key_is_worth_nothing_without_it(
    start: Start, sso: ForeignIssuer, clock: Clock
) -> None:
    key = ECKey.generate_key("P-256")
    async with start(settings(sso)) as server:
        assertion = id_jag(sso, server, cnf={"jkt": key.thumbprint()})
        refused = await redeem(server, assertion)
        url = canonical_url(f"{server.issuer}/oauth/token")
        proof = dpop_proof(key, method="POST", url=url, now=clock.now, jti="1")
        form = {"grant_type": JWT_BEARER, "assertion": assertion}
        held = await server.token(form, auth=CLI, headers={"dpop": proof})
    assert refusal(refused) == "the assertion is bound to a key that this request does not prove"
    assert held.json()["token_type"] == "DPoP"
    assert jwt_parts(held.json()["access_token"]).claims["cnf"] == {"jkt": key.thumbprint()}


async def test_a_claim_with_half_a_character_breaks_nothing(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso, claims={"groups": "groups"})) as server:
        refused = await redeem(server, id_jag(sso, server, groups=["\ud800"]))
    assert refusal(refused) == "the assertion is malformed"


async def test_assertion_replay(start: Start, sso: ForeignIssuer, clock: Clock) -> None:
    async with start(settings(sso)) as server:
        assertion = id_jag(sso, server)
        assert (await redeem(server, assertion)).status_code == 200
        replayed = await redeem(server, assertion)
        clock.advance(89)
        late = await redeem(server, assertion)
    for refused in (replayed, late):
        sentence = "the assertion was used before; ask the identity provider for another one"
        assert refusal(refused) == sentence


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_assertion_replay_at_two_servers_at_once(
    start: Start,
    sso: ForeignIssuer,
    kind: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage: dict[str, Any] = {}
    if kind == "postgresql":
        database: PostgreSql = request.getfixturevalue("postgresql")
        monkeypatch.setenv("STORE_PASSWORD", database.password)
        storage = {"url": database.new_database(), "password": {"env": "STORE_PASSWORD"}}
    values = settings(sso) | {"issuer": "http://127.0.0.1:9"}
    async with start(values, storage=storage) as one, start(values, storage=storage) as two:
        assertion_for = Server(one.server, values["issuer"], one.http, one.audit_file)
        for _ in range(5):
            assertion = id_jag(sso, assertion_for)
            answers = await asyncio.gather(*(redeem(at, assertion) for at in (one, two, one, two)))
            assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


async def test_two_issuers_may_choose_the_same_jti(start: Start, sso: ForeignIssuer, clock: Clock) -> None:
    async with ForeignIssuer(clock).running() as second:
        both = settings(sso)
        both["trusted_issuers"].append(second.settings | {"use": ["id_jag"]})
        async with start(both) as server:
            for issuer in (sso, second):
                await claims_of(server, id_jag(issuer, server, jti="1"))


async def test_a_refused_assertion_is_not_spent(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        assertion = id_jag(sso, server, scope="mcp")
        another_client = await redeem(server, assertion, ("web", SECRET))
        another_resource = await redeem(server, assertion, resource=OTHER)
        wider = await redeem(server, assertion, scope="admin")
        assert (await redeem(server, assertion)).status_code == 200
    sentence = "the assertion was given to another client than the one that sends it"
    assert refusal(another_client) == sentence
    sentence = "the resource is not the one that was authorized"
    assert refusal(another_resource, "invalid_target") == sentence
    assert refusal(wider, "invalid_scope") == "the assertion allows none of these scopes"


async def test_resource_of_the_request_is_that_of_the_assertion_in_any_spelling(
    start: Start, sso: ForeignIssuer
) -> None:
    async with start(settings(sso)) as server:
        claims = await claims_of(
            server,
            id_jag(sso, server, resource="https://MCP.example.com:443/mcp"),
            resource="HTTPS://mcp.example.com/mcp",
        )
        unknown = await redeem(server, id_jag(sso, server, resource="https://evil.example/mcp"))
        odd = await redeem(server, id_jag(sso, server, resource="https://mcp.example.com/x/../mcp"))
    assert claims["aud"] == RESOURCE
    sentence = "the resource https://evil.example/mcp is unknown here, or not for this client"
    assert refusal(unknown, "invalid_target") == sentence
    assert refusal(odd, "invalid_target") == "the resource is refused: its path has a dot segment"


async def test_an_issuer_is_kept_out_of_resources_that_are_not_its_own(
    start: Start, sso: ForeignIssuer
) -> None:
    async with start(settings(sso, resources=[OTHER])) as server:
        assert (await redeem(server, id_jag(sso, server, resource=OTHER))).status_code == 200
        kept_out = await redeem(server, id_jag(sso, server))
    sentence = "the issuer's assertions are not taken for https://mcp.example.com/mcp"
    assert refusal(kept_out, "invalid_target") == sentence


@pytest.mark.parametrize(
    ("typ", "sentence"),
    [
        (None, "the assertion has no typ; taken here are: oauth-id-jag+jwt"),
        ("JWT", "the assertion has typ 'JWT'; taken here are: oauth-id-jag+jwt"),
        ("at+jwt", "the assertion has typ 'at+jwt'; taken here are: oauth-id-jag+jwt"),
        (
            "oauth-id-jag-v2+jwt",
            "the assertion has typ 'oauth-id-jag-v2+jwt'; taken here are: oauth-id-jag+jwt",
        ),
    ],
)
async def test_typ_decides_and_an_unknown_one_is_named(
    start: Start, sso: ForeignIssuer, typ: str | None, sentence: str
) -> None:
    async with start(settings(sso)) as server:
        assert refusal(await redeem(server, id_jag(sso, server, typ=typ))) == sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"exp": 1_799_999_970}, "the assertion has expired"),
        ({"exp": None}, "the assertion lacks a proper exp claim"),
        (
            {"iat": 1_799_999_669, "exp": 1_900_000_000},
            "the assertion is older than 300 seconds; ask the identity provider again",
        ),
        ({"iat": 1_800_000_031}, "the assertion is not valid yet"),
        ({"nbf": 1_800_000_031}, "the assertion is not valid yet"),
        ({"aud": "https://other.example.com"}, "the assertion is for another audience"),
        ({"aud": RESOURCE}, "the assertion is for another audience"),
        ({"client_id": "web"}, "the assertion was given to another client than the one that sends it"),
        ({"client_id": None}, "the assertion was given to another client than the one that sends it"),
        ({"iss": "https://evil.example"}, "the assertion is from an issuer that is not accepted here"),
        ({"sub": None}, "the assertion lacks a proper sub claim"),
        ({"sub": "a" * 256}, "the assertion lacks a proper sub claim"),
        ({"sub": "ada\r\nset-cookie: x"}, "the assertion lacks a proper sub claim"),
        ({"jti": None}, "the assertion lacks a jti of 1 to 256 printable characters"),
        ({"resource": None}, "the assertion does not name exactly one resource"),
        ({"resource": [RESOURCE, OTHER]}, "the assertion does not name exactly one resource"),
        ({"cnf": {"jkt": "k"}}, "the assertion is bound to a key that this request does not prove"),
        ({"cnf": "k"}, "the assertion is bound to a key that this request does not prove"),
        ({"cnf": {}}, "the assertion is bound to a key that this request does not prove"),
    ],
)
async def test_each_fault_has_its_sentence(
    start: Start, sso: ForeignIssuer, changes: dict[str, Any], sentence: str
) -> None:
    async with start(settings(sso)) as server:
        assert refusal(await redeem(server, id_jag(sso, server, **changes))) == sentence
        assert (await redeem(server, id_jag(sso, server))).status_code == 200


async def test_an_assertion_for_two_servers_is_refused(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        refused = await redeem(server, id_jag(sso, server, aud=[server.issuer, "https://other.example.com"]))
    assert refusal(refused) == "the assertion has more audiences than our issuer"


async def test_only_the_clients_of_the_entry_may_bring_assertions(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso, clients=["web"])) as server:
        unlisted = await redeem(server, id_jag(sso, server))
        no_grant = await redeem(server, id_jag(sso, server, client_id="ci"), ("ci", SECRET))
        listed = await redeem(server, id_jag(sso, server, client_id="web"), ("web", SECRET))
        stranger = await redeem(server, id_jag(sso, server), ("cli", "wrong"))
    sentence = "this client may not bring assertions of that issuer"
    assert refusal(unlisted, "unauthorized_client") == sentence
    sentence = f"this client may not use the grant {JWT_BEARER}"
    assert refusal(no_grant, "unauthorized_client") == sentence
    assert listed.status_code == 200
    assert refusal(stranger, "invalid_client", 401) == "the client is unknown or did not prove who it is"


def test_a_client_that_proves_nothing_brings_nothing(sso: ForeignIssuer) -> None:
    trusted = TrustedIssuer.model_validate(sso.settings | {"use": ["id_jag"]})
    with pytest.raises(UnauthorizedClient) as refused:
        require_client_allowed(Client("https://app.example/client", ClientKind.DOCUMENT), trusted)
    assert str(refused.value) == "a client that does not prove who it is may not bring an assertion"


async def test_an_issuer_that_is_trusted_for_something_else_vouches_for_nobody(
    start: Start, sso: ForeignIssuer, clock: Clock
) -> None:
    async with ForeignIssuer(clock).running() as cluster:
        both = settings(sso)
        subjects = {"system:serviceaccount:ci:*": "ci"}
        both["trusted_issuers"].append(cluster.settings | {"use": ["workload"], "subjects": subjects})
        async with start(both) as server:
            refused = await redeem(server, id_jag(cluster, server))
    assert refusal(refused) == "the assertion is from an issuer that is not accepted here"
    assert not cluster.requests


async def test_while_the_companys_keys_cannot_be_had_nothing_is_spent(
    start: Start, sso: ForeignIssuer, clock: Clock
) -> None:
    async with start(settings(sso)) as server:
        assertion = id_jag(sso, server)
        sso.up = False
        away = await redeem(server, assertion)
        sso.up = True
        clock.advance(5)
        back = await redeem(server, assertion)
    sentence = "the keys of the token's issuer cannot be fetched now; nothing was spent"
    assert refusal(away, "temporarily_unavailable", 503) == sentence
    assert away.headers["retry-after"] == "5"
    assert back.status_code == 200


async def test_without_a_company_there_is_no_such_grant(start: Start, sso: ForeignIssuer) -> None:
    async with start() as server:
        found = (await server.http.get(f"{server.issuer}/.well-known/openid-configuration")).json()
        refused = await redeem(server, id_jag(sso, server), ("ci", SECRET))
    assert JWT_BEARER not in found["grant_types_supported"]
    assert "authorization_grant_profiles_supported" not in found
    assert refusal(refused, "unsupported_grant_type") == f"this server has no grant {JWT_BEARER!r}"


async def test_what_is_announced_is_there(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        found = (await server.http.get(f"{server.issuer}/.well-known/oauth-authorization-server")).json()
    assert JWT_BEARER in found["grant_types_supported"]
    assert found["authorization_grant_profiles_supported"] == ["urn:ietf:params:oauth:grant-profile:id-jag"]
    assert "urn:ietf:params:oauth:grant-type:token-exchange" not in found["grant_types_supported"]


async def test_nothing_of_it_is_in_the_clear_in_the_store(
    start: Start, sso: ForeignIssuer, tmp_path: Path
) -> None:
    async with start(settings(sso)) as server:
        assertion = id_jag(sso, server, jti="jti-in-the-clear", email="ada@corp.example")
        tsid = (await claims_of(server, assertion))["tsid"]
        stored = b"".join(file.read_bytes() for file in tmp_path.glob("ostiary.db*"))
        audit = server.audit_file.read_text()
    for secret in (tsid, "jti-in-the-clear", assertion, "ada@corp.example"):
        assert secret.encode() not in stored
        assert secret not in audit


@pytest.mark.parametrize(
    ("trusted", "sentence"),
    [
        ({"required_typ": "at+jwt"}, "Value error, required_typ is for use: [subject_token]"),
        ({"subjects": {"a": "ci"}}, "Value error, subjects is for use: [workload]"),
        ({"resources": []}, "List should have at least 1 item after validation, not 0"),
        (
            {"issuer": "https://corp.example.com", "subject_claim": "oid"},
            (
                "Value error, people of https://corp.example.com are known by sub when they sign in and by "
                "oid in its assertions: set subject_claim: sub in trusted_issuers"
            ),
        ),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused(trusted: dict[str, Any], sentence: str) -> None:
    entry = {"issuer": "https://sso.example.com", "use": ["id_jag"]} | trusted
    whole = basic_settings(issuer="https://auth.example.com", trusted_issuers=[entry])
    with pytest.raises(ValidationError) as refused:
        AuthServerSettings.model_validate(whole, context={"insecure_inline_secrets": True})
    assert [fault["msg"] for fault in refused.value.errors()] == [sentence]


async def test_our_own_credential_gets_in_with_a_companys_word(
    start: Start, sso: ForeignIssuer, clock: Clock
) -> None:
    """ID token → ID-JAG at the company → access token here, by `type: id_jag`."""

    async def vouch(request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        claims = {
            "sub": jwt_parts(form["subject_token"]).claims["sub"],
            "aud": form["audience"],
            "resource": form["resource"],
            "scope": form["scope"],
            "client_id": "cli",
            "jti": f"jag-{next(numbers)}",
        }
        issued = {"access_token": sso.sign(claims, typ=TYP), "token_type": "N_A", "expires_in": 60}
        return web.json_response(issued | {"issued_token_type": "urn:ietf:params:oauth:token-type:id-jag"})

    sso.token_endpoint = vouch
    async with start(settings(sso)) as server, Runtime(clock=clock) as runtime:
        credential = IdJag(
            issuer=server.issuer,
            client_id="cli",
            client_secret=Secret(SECRET),
            subject=Bearer(token=Secret(sso.sign({"sub": "ada", "aud": "ostiary"}))),
            idp=IdpSettings(token_url=canonical_url(f"{sso.url}/token"), client_id="ostiary"),
            scopes=("mcp",),
        )
        resource = canonical_url(RESOURCE)
        headers = credential.attach(resource, runtime=runtime)
        [(name, value)] = await headers.get(OutgoingRequest("POST", resource))
    claims = jwt_parts(value.removeprefix("Bearer ")).claims
    assert name == "authorization"
    assert (claims["aud"], claims["scope"], claims["client_id"]) == (RESOURCE, "mcp", "cli")
