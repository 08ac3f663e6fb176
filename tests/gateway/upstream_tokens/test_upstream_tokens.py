"""The server gets the token of the caller's own account there, and nothing else of anybody's."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.credentials.upstream_token.test_revocation_feed import until
from tests.gateway.conftest import Seen, echo
from tests.gateway.upstream_tokens.conftest import PROGRAM, House, call

from ostiary.certificates.authority import read_authority
from ostiary.identity.spiffe import DEFAULT_TEMPLATE
from ostiary.mcp.eras import UNAVAILABLE_KEY
from ostiary.oauth.jwt_parts import jwt_parts


async def test_each_caller_is_at_the_server_with_their_own_account(house: House) -> None:
    caller = await house.gateway()
    (_, alice), (_, bob) = await house.person("alice"), await house.person("bob")
    for token in (alice, bob, alice):
        answer = await call(caller, token)
        assert answer.status_code == 200, answer.text
    first, second, third = house.sent
    assert first == third != second
    assert all(sent.startswith("Bearer access-") for sent in house.sent)
    given = [line for line in house.audit if line["event"] == "upstream_token_given"]
    assert [(line["workload"], line["server"], line["idp"]) for line in given] == [
        ("default/gateway", "github", "hub")
    ] * 2


async def test_the_callers_own_token_never_travels_to_the_server(house: House) -> None:
    caller = await house.gateway()
    _, token = await house.person()
    await call(caller, token)
    [seen] = house.server.seen
    assert token not in str(seen.headers) + json.dumps(seen.body)


async def test_forged_token_misses_the_cache(house: House) -> None:
    """The right session id, under another's signature, opens neither the gateway nor what it keeps."""
    caller = await house.gateway()
    _, token = await house.person()
    await call(caller, token)
    claims = jwt_parts(token).claims
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    forged = jwt.encode(
        header, claims | {"jti": "another"}, ECKey.generate_key("P-256"), algorithms=["ES256"]
    )
    answer = await call(caller, forged)
    assert answer.status_code == 401
    assert len(house.server.seen) == 1


async def test_gateway_gets_only_the_named_idp(house: House) -> None:
    """Neither a caller's words nor a server's name lead to an account that the server is not meant for."""
    caller = await house.gateway(server="corporate", provider="hub")
    caller_of_github = await house.gateway()
    _, token = await house.person()
    caller.token = token
    refused = await caller.ask("tools/call", {"name": "corporate_x", "arguments": {"audience": "corp"}})
    assert refused.status_code == 502
    assert refused.json()["error"]["code"] == -32013
    asked = {
        "name": "github_x",
        "audience": "corp",
        "arguments": {"provider": "corp", "resource": "corporate"},
    }
    caller_of_github.token = token
    answer = await caller_of_github.ask("tools/call", asked, headers=[("audience", "corp")])
    assert answer.status_code == 200
    about = [line for line in house.audit if line["event"].startswith("upstream_token_")]
    assert [(line["event"], line["server"], line["idp"]) for line in about] == [
        ("upstream_token_refused", "corporate", "hub"),
        ("upstream_token_given", "github", "hub"),
    ]


async def test_revoked_session_stops_within_the_bound(house: House) -> None:
    """Told by the feed, within seconds: no clock is moved."""
    caller = await house.gateway()
    _, token = await house.person()
    assert (await call(caller, token)).status_code == 200
    await house.revoke(token)
    async with asyncio.timeout(10):
        while (answer := await call(caller, token)).status_code == 200:  # noqa: ASYNC110 - told over HTTP
            await asyncio.sleep(0.05)
    assert answer.status_code == 502
    assert "refused with invalid_grant" in answer.json()["error"]["message"]
    told = len(house.server.seen)
    await call(caller, token)
    assert len(house.server.seen) == told


async def test_revoked_session_stops_within_60_seconds_without_the_feed(house: House) -> None:
    caller = await house.gateway(revocations="60s")
    _, token = await house.person()
    assert (await call(caller, token)).status_code == 200
    await house.revoke(token)
    house.clock.advance(55)
    assert (await call(caller, token)).status_code == 200
    house.clock.advance(5.1)
    assert (await call(caller, token)).status_code == 502
    assert len(house.server.seen) == 2


async def test_one_persons_end_is_not_the_others(house: House) -> None:
    caller = await house.gateway()
    (_, alice), (_, bob) = await house.person("alice"), await house.person("bob")
    for token in (alice, bob):
        await call(caller, token)
    await house.revoke(alice)
    async with asyncio.timeout(10):
        while (await call(caller, alice)).status_code == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await call(caller, bob)).status_code == 200
    given = [line for line in house.audit if line["event"] == "upstream_token_given"]
    assert len(given) == 2


async def test_a_token_that_the_server_refuses_is_renewed_and_the_call_goes_on(house: House) -> None:
    caller = await house.gateway()
    _, token = await house.person()
    await call(caller, token)
    [spent] = house.sent

    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        if seen.header("authorization") == spent:
            return web.Response(status=401, headers={"www-authenticate": 'Bearer error="invalid_token"'})
        return await echo(seen, request)

    house.server.reply = reply
    assert (await call(caller, token)).status_code == 200
    assert len(house.world.hub.renewed) == 1
    assert house.sent[1] == spent != house.sent[2]


async def test_a_program_by_itself_has_no_account(house: House) -> None:
    caller = await house.gateway()
    form = {"grant_type": "client_credentials", "resource": "https://mcp.example.com/mcp"}
    known = PROGRAM["client_id"], PROGRAM["client_secret"]
    token = (await house.world.server.token(form, auth=known)).json()["access_token"]
    answer = await call(caller, token)
    assert answer.status_code == 502
    assert answer.json()["error"]["message"] == (
        f"server github: credential upstream_token for {house.server.url.removesuffix('/mcp')}: it is about "
        "a person's account, and the caller is a program by itself; call with the token of somebody "
        "who signed in"
    )
    listed = (await caller.ask("tools/list", {})).json()["result"]
    assert (listed["tools"], UNAVAILABLE_KEY in listed["_meta"]) == ([], False)
    assert house.server.seen == []
    assert not [line for line in house.audit if line["event"].startswith("upstream_token_")]


async def test_while_the_authorization_server_is_away_callers_hear_when_to_come_back(house: House) -> None:
    caller = await house.gateway(token_url="https://127.0.0.1:1/internal/token-exchange")
    _, token = await house.person()
    for _ in range(3):
        answer = await call(caller, token)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["error"]["code"] == -32015
    assert house.server.seen == []


async def test_our_certificate_is_another_one_while_calls_go_on(house: House) -> None:
    """Certificate and key are written over, one after the other, between and during exchanges: none fails."""
    authority, folder = read_authority(house.pki), house.pki.path.parent
    files = {"certificate": folder / "tls.crt", "private_key": folder / "tls.key"}
    named = DEFAULT_TEMPLATE.render("ostiary.local", "default", "gateway")

    def renew() -> None:
        material = authority.issue(named, (), now=house.clock())
        key = material.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for file, content in ((files["certificate"], material.pem), (files["private_key"], key)):
            Path(f"{file}.new").write_bytes(content)
            Path(f"{file}.new").rename(file)

    renew()
    bundle = {"trust_bundle": house.pki.certificate}
    caller = await house.gateway(certificates=files | bundle, revocations="1s")
    tokens = [(await house.person(f"person-{number}"))[1] for number in range(4)]
    for _ in range(5):
        house.clock.advance(2)
        calls = [asyncio.ensure_future(call(caller, token)) for token in tokens]
        await until(lambda: house.audit[-1]["event"] == "upstream_token_given")
        renew()
        assert [(await answer).status_code for answer in calls] == [200] * 4
    assert (
        len(house.server.seen) == len([e for e in house.audit if e["event"] == "upstream_token_given"]) == 20
    )
