"""Somebody acts for a person whom a trusted issuer's token speaks of, RFC 8693 at the public endpoint."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from joserfc.jwk import ECKey
from pydantic import ValidationError
from sqlalchemy import func, select
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Server, Start, basic_settings
from tests.authserver.foreign_issuer import ForeignIssuer

from ostiary.authserver import AuthServerSettings
from ostiary.credentials import Bearer, TokenExchange
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.dpop_proof import dpop_proof
from ostiary.oauth.jwt_parts import jwt_parts
from ostiary.secrets import Secret
from ostiary.storage.schema import token_sessions

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
AGENT = ("agent", SECRET)
OTHER = "https://mcp.example.com/other"
WORKLOAD = "system:serviceaccount:agents:runner"


@pytest.fixture
async def sso(clock: Clock) -> AsyncIterator[ForeignIssuer]:
    async with ForeignIssuer(clock).running() as issuer:
        yield issuer


@pytest.fixture
async def cluster(clock: Clock) -> AsyncIterator[ForeignIssuer]:
    async with ForeignIssuer(clock).running() as issuer:
        yield issuer


def settings(sso: ForeignIssuer, *more_issuers: dict[str, Any], **trusted: Any) -> dict[str, Any]:
    """Two resources, two clients that may exchange, and an issuer whose people `agent` may act for."""
    grants = ["token_exchange", "refresh_token", "client_credentials"]
    entry = sso.settings | {"use": ["subject_token"], "allowed_actors": ["agent"]} | trusted
    return basic_settings(
        resources=[
            {
                "resource": RESOURCE,
                "owner": "default/gateway",
                "scopes": ["mcp", "admin"],
                "default_scopes": ["mcp"],
                "idps": ["corp"],
            },
            {"resource": OTHER, "owner": "default/other", "idps": ["corp"], "token_claims": ["groups"]},
        ],
        clients=[
            {"client_id": "agent", "client_secret": SECRET, "grant_types": grants},
            {"client_id": "other", "client_secret": SECRET, "grant_types": grants, "scopes": ["mcp"]},
            {"client_id": "ci", "client_secret": SECRET, "grant_types": ["client_credentials"]},
        ],
        trusted_issuers=[
            {name: value for name, value in entry.items() if value is not None},
            *more_issuers,
        ],
    )


def token(sso: ForeignIssuer, *, typ: str | None = "JWT", **changes: Any) -> str:
    """An access token of ada, for a server behind us."""
    return sso.sign(
        {"sub": "ada", "aud": RESOURCE, "scope": "mcp admin", "azp": "desktop"} | changes, typ=typ
    )


async def exchange(
    server: Server,
    subject: str,
    auth: tuple[str, str] = AGENT,
    headers: dict[str, str] | None = None,
    **parameters: Any,
) -> httpx2.Response:
    form: dict[str, Any] = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": subject,
        "subject_token_type": ACCESS_TOKEN,
        "resource": RESOURCE,
    } | parameters
    return await server.token(
        {name: one for name, one in form.items() if one is not None}, auth=auth, headers=headers
    )


async def claims_of(server: Server, subject: str, **parameters: Any) -> dict[str, Any]:
    answered = await exchange(server, subject, **parameters)
    assert answered.status_code == 200, answered.text
    return jwt_parts(answered.json()["access_token"]).claims


def refusal(answered: httpx2.Response, error: str = "invalid_request", status: int = 400) -> str:
    body = answered.json()
    assert (answered.status_code, body["error"]) == (status, error), body
    return str(body["error_description"])


NOBODY_AGREED = (
    "nobody agreed that this actor may act for the subject: the subject token's may_act must name it, "
    "or the operator must list it"
)


async def test_a_listed_client_acts_for_somebody(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        answered = await exchange(server, token(sso, exp=1_800_000_300), scope="mcp")
        _key_made, *events = map(json.loads, server.audit_file.read_text().splitlines())
    body = answered.json()
    issued = jwt_parts(body.pop("access_token"))
    assert body == {
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "mcp",
        "issued_token_type": ACCESS_TOKEN,
    }
    assert issued.header["typ"] == "at+jwt"
    subject, jti = issued.claims.pop("sub"), issued.claims.pop("jti")
    assert str(uuid.UUID(subject)) == subject
    act = {"iss": server.issuer, "sub": "agent", "client_id": "agent"}
    assert issued.claims == {
        "iss": server.issuer,
        "aud": RESOURCE,
        "client_id": "agent",
        "scope": "mcp",
        "iat": 1_800_000_000,
        "exp": 1_800_000_300,
        "act": act,
    }
    assert events == [
        {
            "time": "2027-01-15T08:00:00.000+00:00",
            "event": "token_issued",
            "client": "agent",
            "grant": TOKEN_EXCHANGE,
            "scopes": ["mcp"],
            "address": "127.0.0.1",
            "subject": subject,
            "resource": RESOURCE,
            "act": act,
            "jti": jti,
        }
    ]


async def test_delegation_without_upstream_right_gets_none(start: Start, sso: ForeignIssuer) -> None:
    """No `tsid`, no session, no refresh token: nothing leads from here to the person's accounts."""
    async with start(settings(sso)) as server:
        answered = await exchange(server, token(sso))
        sessions = await server.server.services.store.read(
            lambda connection: connection.execute(
                select(func.count()).select_from(token_sessions)
            ).scalar_one()
        )
    assert "refresh_token" not in answered.json()
    assert "tsid" not in jwt_parts(answered.json()["access_token"]).claims
    assert sessions == 0


async def test_the_new_token_ends_with_the_old_one_and_in_a_quarter_of_an_hour(
    start: Start, sso: ForeignIssuer, clock: Clock
) -> None:
    lives = settings(sso) | {"tokens": {"access": "12h"}}
    async with start(lives) as server:
        long = await claims_of(server, token(sso, exp=clock.now + 86_400))
        short = await claims_of(server, token(sso, exp=clock.now + 1.5))
        over = await exchange(server, token(sso, exp=clock.now + 0.5))
        just_over = await exchange(server, token(sso, exp=clock.now - 10))
    assert (long["exp"] - clock.now, short["exp"] - clock.now) == (900, 1)
    for refused in (over, just_over):
        assert refusal(refused) == "the subject token has expired"


async def test_a_token_is_given_back_although_it_has_no_session(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        issued = (await exchange(server, token(sso))).json()["access_token"]
        answers = []
        for _ in range(2):
            answers.append((await server.post("/oauth/introspect", {"token": issued}, auth=AGENT)).json())
            await server.post("/oauth/revoke", {"token": issued}, auth=AGENT)
    assert [answer["active"] for answer in answers] == [True, False]
    assert answers[0]["act"] == {"iss": server.issuer, "sub": "agent", "client_id": "agent"}


async def test_scopes_only_get_narrower(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        silent = await claims_of(server, token(sso))
        asked = await claims_of(server, token(sso), scope="admin")
        wider = await exchange(server, token(sso, scope="mcp"), scope="admin")
        none = await exchange(server, token(sso, scope=None))
        foreign = await exchange(server, token(sso, scope=None, scp=["Files.Read"]))
        unknown = await exchange(server, token(sso, scope="files"), scope="files")
    assert (silent["scope"], asked["scope"]) == ("mcp", "admin")
    assert refusal(wider, "invalid_scope") == "the scope admin was not granted"
    for refused in (none, foreign):
        sentence = "the subject token has none of the scopes of this resource"
        assert refusal(refused, "invalid_scope") == sentence
    assert refusal(unknown, "invalid_scope") == "the scope files is unknown here, or not for this client"


async def test_an_operator_may_say_what_a_token_is_worth(start: Start, sso: ForeignIssuer) -> None:
    worth = settings(sso, scopes=["mcp"], allowed_actors=["agent", "other"])
    async with start(worth) as server:
        given = await claims_of(server, token(sso, scope=None, scp="Files.Read"))
        wider = await exchange(server, token(sso, scope="admin"), scope="admin")
    assert given["scope"] == "mcp"
    assert refusal(wider, "invalid_scope") == "the scope admin was not granted"


async def test_nobody_acts_without_somebodys_consent(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        refused = await exchange(server, token(sso), ("other", SECRET))
        _key_made, *events = map(json.loads, server.audit_file.read_text().splitlines())
    assert refusal(refused) == NOBODY_AGREED
    assert events[-1]["event"] == "token_refused"
    assert events[-1]["reason"].endswith("may_act is not read")


async def test_may_act_does_not_go_round_the_list_of_actors(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        for may_act in ({"client_id": "other"}, {"iss": server.issuer, "sub": "other"}, {"sub": "other"}):
            refused = await exchange(server, token(sso, may_act=may_act), ("other", SECRET))
            assert refusal(refused) == NOBODY_AGREED


async def test_may_act_counts_where_the_operator_says_so(start: Start, sso: ForeignIssuer) -> None:
    opted_in = settings(sso, allow_may_act=True, clients=["other"], allowed_actors=None)
    async with start(opted_in) as server:
        for naming in ({"client_id": "other"}, {"iss": server.issuer, "sub": "other"}):
            named = await exchange(server, token(sso, may_act=naming), ("other", SECRET))
            assert jwt_parts(named.json()["access_token"]).claims["act"]["client_id"] == "other"
        for may_act in (
            {"client_id": "agent"},
            {"sub": "other"},
            {"iss": sso.url, "sub": "other"},
            {"iss": server.issuer},
            {"client_id": "other", "aud": RESOURCE},
            "other",
            ["other"],
            None,
        ):
            refused = await exchange(server, token(sso, may_act=may_act), ("other", SECRET))
            assert refusal(refused) == NOBODY_AGREED
        unlisted = await exchange(server, token(sso, may_act={"client_id": "agent"}))
    sentence = "this client may not bring assertions of that issuer"
    assert refusal(unlisted, "unauthorized_client") == sentence


def workloads(cluster: ForeignIssuer, **more: Any) -> dict[str, Any]:
    subjects = {"system:serviceaccount:agents:*": "agent"}
    return cluster.settings | {"use": ["workload"], "subjects": subjects} | more


async def test_a_workload_acts_by_its_own_token(
    start: Start, sso: ForeignIssuer, cluster: ForeignIssuer
) -> None:
    listed = settings(sso, workloads(cluster), allowed_actors=[f"{cluster.url}#{WORKLOAD}"])
    async with start(listed) as server:
        actor = cluster.sign({"sub": WORKLOAD, "aud": server.issuer}, typ=None)
        claims = await claims_of(server, token(sso), actor_token=actor, actor_token_type=JWT)
        alone = await exchange(server, token(sso))
    assert claims["act"] == {"iss": cluster.url, "sub": WORKLOAD}
    assert claims["client_id"] == "agent"
    assert refusal(alone) == NOBODY_AGREED


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sub": "system:serviceaccount:agents:another"}, NOBODY_AGREED),
        ({"sub": "system:serviceaccount:evil:x"}, "the actor token is of a workload that is not known here"),
        ({"aud": RESOURCE}, "the actor token is for another audience"),
        ({"aud": ["{issuer}", RESOURCE]}, "the actor token is for somebody else as well"),
        ({"typ": "dpop+jwt"}, "the actor token is another kind of JWT"),
        ({"typ": "oauth-id-jag+jwt"}, "the actor token is another kind of JWT"),
        ({"exp": 1_799_999_970}, "the actor token has expired"),
        ({"iss": "https://evil.example"}, "the actor token is from an issuer that is not accepted here"),
        ({"act": {"sub": "x"}}, "the actor token speaks of somebody for whom another one acts"),
        ({"cnf": {"jkt": "k"}}, "the actor token is bound to a key that this request does not prove"),
    ],
)
async def test_each_fault_of_an_actor_token_has_its_sentence(
    start: Start, sso: ForeignIssuer, cluster: ForeignIssuer, changes: dict[str, Any], sentence: str
) -> None:
    listed = settings(sso, workloads(cluster), allowed_actors=[f"{cluster.url}#{WORKLOAD}"])
    async with start(listed) as server:
        claims = {"sub": WORKLOAD, "aud": server.issuer} | changes
        if isinstance(claims["aud"], list):
            claims["aud"] = [one.format(issuer=server.issuer) for one in claims["aud"]]
        actor = cluster.sign(claims, typ=claims.pop("typ", "JWT"))
        refused = await exchange(server, token(sso), actor_token=actor, actor_token_type=JWT)
    assert refusal(refused) == sentence


async def test_a_person_is_no_actor(start: Start, sso: ForeignIssuer, cluster: ForeignIssuer) -> None:
    async with start(settings(sso, workloads(cluster))) as server:
        actor = sso.sign({"sub": "agent", "aud": server.issuer})
        refused = await exchange(server, token(sso), actor_token=actor, actor_token_type=JWT)
        untyped = await exchange(server, token(sso), actor_token=actor)
        kept_out = settings(sso, workloads(cluster, clients=["other"]))
    assert refusal(refused) == "the actor token is from an issuer that is not accepted here"
    assert refusal(untyped) == "the parameter actor_token_type is missing"
    async with start(kept_out) as server:
        actor = cluster.sign({"sub": WORKLOAD, "aud": server.issuer})
        unlisted = await exchange(server, token(sso), actor_token=actor, actor_token_type=JWT)
    sentence = "this client may not bring assertions of that issuer"
    assert refusal(unlisted, "unauthorized_client") == sentence


async def test_those_who_acted_before_stay_in_the_chain_under_their_own_issuer(
    start: Start, sso: ForeignIssuer
) -> None:
    before = {"sub": "agent", "client_id": "ci", "act": {"iss": "https://a.example", "sub": "b"}}
    async with start(settings(sso)) as server:
        claims = await claims_of(server, token(sso, act=before))
        _key_made, *events = map(json.loads, server.audit_file.read_text().splitlines())
    assert claims["act"] == {
        "iss": server.issuer,
        "sub": "agent",
        "client_id": "agent",
        "act": {
            "iss": sso.url,
            "sub": "agent",
            "client_id": "ci",
            "act": {"iss": "https://a.example", "sub": "b"},
        },
    }
    assert events[-1]["act"] == claims["act"]


def chain(length: int) -> dict[str, Any]:
    act: dict[str, Any] = {"sub": "a0"}
    for number in range(1, length):
        act = {"sub": f"a{number}", "act": act}
    return act


async def test_a_chain_of_actors_is_bounded(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        assert (await exchange(server, token(sso, act=chain(9)))).status_code == 200
        deep = await exchange(server, token(sso, act=chain(10)))
        deeper = await exchange(server, token(sso, act=chain(500)))
        wide = await exchange(server, token(sso, act={"sub": "a", "note": "x" * 8192}))
    assert refusal(deep) == "the subject token went through more than 10 actors"
    assert refusal(deeper) == "the subject token is malformed"
    assert refusal(wide) == "the actors in the subject token's act take more than 8192 bytes"


@pytest.mark.parametrize(
    "act",
    ["agent", [], {}, {"sub": ""}, {"sub": 7}, {"sub": "a", "act": "b"}, {"sub": "a", "act": {"iss": "x"}}],
)
async def test_a_malformed_actor_is_refused_at_any_depth(start: Start, sso: ForeignIssuer, act: Any) -> None:
    async with start(settings(sso)) as server:
        refused = await exchange(server, token(sso, act=act))
    sentence = "the subject token's act is not a JSON object that names an actor by its sub"
    assert refusal(refused) == sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "n"},
        {"at_hash": "h"},
        {"c_hash": "h"},
        {"s_hash": "h"},
        {"token_use": "id"},
        {"typ": "ID"},
        {"azp": RESOURCE},
    ],
)
async def test_foreign_id_token_is_no_access_token(
    start: Start, sso: ForeignIssuer, changes: dict[str, Any]
) -> None:
    async with start(settings(sso)) as server:
        claims = {"sub": "ada", "aud": RESOURCE, "scope": "mcp"} | changes
        refused = await exchange(server, sso.sign(claims))
        declared = await exchange(server, token(sso), subject_token_type=ID_TOKEN)
    assert refusal(refused) == "the subject token is not an access token"
    sentence = f"subject_token_type must be {ACCESS_TOKEN} or {JWT}"
    assert refusal(declared) == sentence


async def test_foreign_id_token_whose_audience_is_a_client_is_for_another_audience(
    start: Start, sso: ForeignIssuer
) -> None:
    async with start(settings(sso)) as server:
        for client in ("agent", "desktop", "other"):
            refused = await exchange(server, token(sso, aud=client, azp=client))
            assert refusal(refused) == "the subject token is for another audience"


async def test_only_access_tokens_of_issuers_trusted_for_it_are_exchanged(
    start: Start, sso: ForeignIssuer, cluster: ForeignIssuer
) -> None:
    async with start(settings(sso, workloads(cluster))) as server:
        own = (
            await server.token({"grant_type": "client_credentials", "resource": RESOURCE}, auth=AGENT)
        ).json()
        ours = await exchange(server, own["access_token"], resource=OTHER)
        stranger = await exchange(server, token(sso, iss="https://evil.example"))
        workload = await exchange(server, cluster.sign({"sub": WORKLOAD, "aud": RESOURCE}))
        opaque = await exchange(server, "ya29.a0AfB_byC")
        refresh = await exchange(
            server, sso.sign({"sub": "ada", "aud": RESOURCE, "scope": "mcp", "typ": "Refresh"})
        )
        logout = await exchange(server, token(sso, typ="logout+jwt"))
        jag = await exchange(server, token(sso, typ="oauth-id-jag+jwt"))
    assert refusal(ours) == (
        "a token of this server is not exchanged here: a token is for one resource; "
        "sign in, or use the client's own grant, for another one"
    )
    for refused in (stranger, workload):
        assert refusal(refused) == "the subject token is from an issuer that is not accepted here"
    assert refusal(opaque) == "the subject token is not a signed JWT"
    assert refusal(refresh) == "the subject token is not an access token"
    for refused in (logout, jag):
        assert refusal(refused) == "the subject token is another kind of JWT"


async def test_the_typ_that_an_issuer_sets_is_enforced(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso, required_typ="at+jwt")) as server:
        assert (await exchange(server, token(sso, typ="application/at+jwt"))).status_code == 200
        plain = await exchange(server, token(sso))
        none = await exchange(server, token(sso, typ=None))
    for refused in (plain, none):
        assert refusal(refused) == "the subject token is not an access token: its typ is not at+jwt"


async def test_the_audience_is_a_resource_of_ours_or_the_one_agreed_on(
    start: Start, sso: ForeignIssuer
) -> None:
    async with start(settings(sso)) as server:
        spelled = await exchange(server, token(sso, aud=["https://MCP.example.com:443/mcp", "api://x"]))
        elsewhere = await exchange(server, token(sso, aud="https://evil.example/mcp"))
        near = await exchange(server, token(sso, aud=f"{RESOURCE}-evil"))
        odd = await exchange(server, token(sso, aud="https://mcp.example.com/x/../mcp"))
        no_audience = await exchange(server, token(sso, aud=None))
    assert spelled.status_code == 200
    for refused in (elsewhere, near, odd):
        assert refusal(refused) == "the subject token is for another audience"
    assert refusal(no_audience) == "the subject token lacks a proper aud claim"
    async with start(settings(sso, audience="api://mcp")) as server:
        assert (await exchange(server, token(sso, aud="api://mcp"))).status_code == 200
        refused = await exchange(server, token(sso))
    assert refusal(refused) == "the subject token is for another audience"


async def test_one_resource_is_named_and_the_issuer_may_open_it(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso, resources=[OTHER], claims={"groups": "groups"})) as server:
        by_audience = await claims_of(server, token(sso, groups=["ops"]), resource=None, audience=OTHER)
        kept_out = await exchange(server, token(sso))
        unnamed = await exchange(server, token(sso), resource=None)
        two = await exchange(server, token(sso), resource=[RESOURCE, OTHER])
        at_odds = await exchange(server, token(sso), audience=OTHER)
        unknown = await exchange(server, token(sso), resource="https://evil.example/mcp")
    assert (by_audience["aud"], by_audience["groups"]) == (OTHER, ["ops"])
    sentence = "the issuer's assertions are not taken for https://mcp.example.com/mcp"
    assert refusal(kept_out, "invalid_target") == sentence
    sentence = f"name one resource: {RESOURCE}, {OTHER}"
    assert refusal(unnamed, "invalid_target") == sentence
    for refused in (two, at_odds):
        assert refusal(refused, "invalid_target") == "name exactly one resource"
    sentence = "the resource https://evil.example/mcp is unknown here, or not for this client"
    assert refusal(unknown, "invalid_target") == sentence


async def test_a_token_that_is_bound_to_a_key_is_worth_nothing_without_it(
    start: Start, sso: ForeignIssuer, clock: Clock
) -> None:
    key = ECKey.generate_key("P-256")
    bound = {"jkt": key.thumbprint()}
    async with start(settings(sso)) as server:
        url = canonical_url(f"{server.issuer}/oauth/token")
        proofs = (
            dpop_proof(one, method="POST", url=url, now=clock.now, jti="1")
            for one in (key, ECKey.generate_key("P-256"))
        )
        held, another = [
            await exchange(server, token(sso, cnf=bound), headers={"dpop": proof}) for proof in proofs
        ]
        none = await exchange(server, token(sso, cnf=bound))
        odd = await exchange(server, token(sso, cnf={"kid": "k"}))
    assert held.json()["token_type"] == "DPoP"
    assert jwt_parts(held.json()["access_token"]).claims["cnf"] == bound
    for refused in (another, none, odd):
        sentence = "the subject token is bound to a key that this request does not prove"
        assert refusal(refused) == sentence


async def test_what_is_asked_for_is_an_access_token(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        as_jwt = await exchange(server, token(sso), subject_token_type=JWT, requested_token_type=JWT)
        refresh = await exchange(
            server, token(sso), requested_token_type="urn:ietf:params:oauth:token-type:refresh_token"
        )
        missing = await exchange(server, token(sso), subject_token_type=None)
        lonely = await exchange(server, token(sso), actor_token_type=JWT)
    assert as_jwt.json()["issued_token_type"] == JWT
    assert refusal(refresh) == f"requested_token_type must be {ACCESS_TOKEN} or {JWT}"
    assert refusal(missing) == "the parameter subject_token_type is missing"
    assert refusal(lonely) == "actor_token_type is there without an actor_token"


async def test_clients_without_the_grant_exchange_nothing(start: Start, sso: ForeignIssuer) -> None:
    async with start(settings(sso)) as server:
        no_grant = await exchange(server, token(sso), ("ci", SECRET))
        stranger = await exchange(server, token(sso), ("agent", "wrong"))
    sentence = f"this client may not use the grant {TOKEN_EXCHANGE}"
    assert refusal(no_grant, "unauthorized_client") == sentence
    assert refusal(stranger, "invalid_client", 401) == "the client is unknown or did not prove who it is"
    assert not sso.requests


async def test_without_a_trusted_issuer_there_is_no_such_grant(start: Start, sso: ForeignIssuer) -> None:
    async with start() as server:
        found = (await server.http.get(f"{server.issuer}/.well-known/openid-configuration")).json()
        refused = await exchange(server, token(sso), ("ci", SECRET))
    assert TOKEN_EXCHANGE not in found["grant_types_supported"]
    assert refusal(refused, "unsupported_grant_type") == f"this server has no grant {TOKEN_EXCHANGE!r}"
    async with start(settings(sso)) as server:
        found = (await server.http.get(f"{server.issuer}/.well-known/openid-configuration")).json()
    assert TOKEN_EXCHANGE in found["grant_types_supported"]
    assert "authorization_grant_profiles_supported" not in found


ENTRY = {"issuer": "https://sso.example.com", "use": ["subject_token"], "allowed_actors": ["ci"]}


@pytest.mark.parametrize(
    ("trusted", "sentence"),
    [
        (
            [ENTRY | {"allowed_actors": []}],
            "use: [subject_token] needs allowed_actors or allow_may_act: say who may act for its subjects",
        ),
        ([ENTRY | {"allowed_actors": ["*"]}], "allowed_actors has no wildcard: name each actor"),
        (
            [ENTRY | {"allow_may_act": True}],
            "allow_may_act needs clients: say which clients its tokens may let act",
        ),
        (
            [ENTRY | {"audience": "0oa8f2"}],
            (
                "the audience of a subject_token is a resource's URI, never a client's id, for that is what "
                "ID tokens name"
            ),
        ),
        (
            [ENTRY | {"audience": "urn:app:1", "clients": ["urn:app:1"]}],
            (
                "the audience of a subject_token is a resource's URI, never a client's id, for that is what "
                "ID tokens name"
            ),
        ),
        (
            [ENTRY | {"audience": "urn:app:1"}],
            (
                "trusted issuer https://sso.example.com has the audience urn:app:1, which is a client: "
                "its ID tokens would be taken for access tokens"
            ),
        ),
        (
            [ENTRY | {"use": ["subject_token", "id_jag"], "audience": "https://auth.example.com"}],
            (
                "one audience for several uses would let an assertion be used for another one: "
                "write an entry for each use"
            ),
        ),
        ([ENTRY, ENTRY], "trusted issuer https://sso.example.com stands twice for use: [subject_token]"),
        ([ENTRY | {"max_age": "1m"}], "max_age is for use: [id_jag]"),
        (
            [{"issuer": "https://k8s.example.com", "use": ["workload"], "subjects": {"*": "ci"}}],
            "a subject pattern of nothing but * would fit everybody; name what is the same for all",
        ),
        (
            [{"issuer": "https://k8s.example.com", "use": ["workload"]}],
            "use: [workload] needs subjects: say which subject is which client",
        ),
        (
            [ENTRY | {"issuer": "http://sso.example.com"}],
            (
                "http://sso.example.com is plain http to another machine, so anybody between could swap the "
                "keys: use https, or say insecure_allow_http: true"
            ),
        ),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused(trusted: list[dict[str, Any]], sentence: str) -> None:
    clients = [
        {"client_id": client_id, "client_secret": SECRET, "grant_types": ["client_credentials"]}
        for client_id in ("ci", "urn:app:1")
    ]
    whole = basic_settings(issuer="https://auth.example.com", trusted_issuers=trusted, clients=clients)
    with pytest.raises(ValidationError) as refused:
        AuthServerSettings.model_validate(whole, context={"insecure_inline_secrets": True})
    assert [fault["msg"] for fault in refused.value.errors()] == [f"Value error, {sentence}"]


async def test_our_own_credential_acts_for_its_caller(start: Start, sso: ForeignIssuer, clock: Clock) -> None:
    """`type: token_exchange` at a gateway, whose callers come with tokens of the company."""
    async with start(settings(sso)) as server, Runtime(clock=clock) as runtime:
        credential = TokenExchange(
            issuer=server.issuer,
            client_id="agent",
            client_secret=Secret(SECRET),
            subject=Bearer(token=Secret(token(sso))),
            scopes=("mcp",),
        )
        resource = canonical_url(RESOURCE)
        [(name, value)] = await credential.attach(resource, runtime=runtime).get(
            OutgoingRequest("POST", resource)
        )
    claims = jwt_parts(value.removeprefix("Bearer ")).claims
    assert name == "authorization"
    assert (claims["aud"], claims["scope"], claims["act"]["sub"]) == (RESOURCE, "mcp", "agent")
