"""Requests that are pushed before their person comes, RFC 9126."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest
from joserfc.jwk import ECKey
from tests.authserver.agreed import APP, CALLBACK, VERIFIER, WEB, events, proof, redemption
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Server, Start
from tests.authserver.database_file import raw_bytes, rows
from tests.authserver.person import world

from ostiary.oauth.client.pkce import s256

KEY = ECKey.generate_key("P-256")
EXACT = "https://web.example.com/callback"
UNKNOWN = "The request_uri is unknown, used, expired, or another client's."


async def push(
    server: Server,
    *,
    auth: tuple[str, str] | None = ("web", SECRET),
    headers: dict[str, str] | None = None,
    **changes: str | None,
) -> httpx2.Response:
    """The request of `web`, which proves itself. changes: to its form."""
    form: dict[str, str | None] = {
        "client_id": "web",
        "response_type": "code",
        "redirect_uri": EXACT,
        "state": "pushed-state",
        "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
        "scope": "mcp",
        "resource": RESOURCE,
    }
    said = {name: value for name, value in (form | changes).items() if value is not None}
    return await server.post("/oauth/par", said, auth=auth, headers=headers)


def url_of(server: Server, request_uri: str, client_id: str = "web", **more: str) -> str:
    query = httpx2.QueryParams({"client_id": client_id, "request_uri": request_uri, **more})
    return f"{server.issuer}/oauth/authorize?{query}"


async def test_a_pushed_request_is_answered_with_a_name_for_it(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        pushed = await push(here.server)
    assert pushed.status_code == 201
    assert pushed.headers["cache-control"] == "no-store"
    body = pushed.json()
    assert body.pop("request_uri").startswith("urn:ietf:params:oauth:request_uri:")
    assert body == {"expires_in": 90}


async def test_the_metadata_says_where(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        url = f"{here.server.issuer}/.well-known/oauth-authorization-server"
        document = (await here.server.http.get(url)).json()
    assert document["pushed_authorization_request_endpoint"] == f"{here.server.issuer}/oauth/par"


async def test_the_browser_brings_nothing_but_the_name(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        name = (await push(here.server)).json()["request_uri"]
        seen = await (await here.person()).open(url_of(here.server, name))
        assert seen.url.startswith(f"{EXACT}?code=")
        assert seen.answer["state"] == "pushed-state"


async def test_what_the_browser_says_besides_does_not_count(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        name = (await push(here.server)).json()["request_uri"]
        evil = {"state": "evil", "redirect_uri": "https://evil.example/", "scope": "admin", "prompt": "none"}
        seen = await (await here.person()).open(url_of(here.server, name, **evil))
        assert seen.url.startswith(f"{EXACT}?code=")
        assert seen.answer["state"] == "pushed-state"
        assert "prompt" not in here.corp.departures[0]


async def test_a_pushed_request_is_good_once(start: Start, clock: Clock, tmp_path: Path) -> None:
    async with world(start, clock) as here:
        name = (await push(here.server)).json()["request_uri"]
        people = [await here.person() for _ in range(4)]
        seen = await asyncio.gather(*(person.open(url_of(here.server, name)) for person in people))
        told = [one for one in seen if one.response is None]
        refused = [one for one in seen if one.response is not None]
        assert len(told) == 1
        assert all((one.status, UNKNOWN in one.text) == (400, True) for one in refused)
        assert rows(tmp_path, "pushed_requests") == 0


async def test_a_pushed_request_expires(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        name = (await push(here.server)).json()["request_uri"]
        clock.advance(90)
        seen = await (await here.person()).open(url_of(here.server, name))
        assert (seen.status, UNKNOWN in seen.text) == (400, True)


async def test_another_client_cannot_use_it_and_does_not_spend_it(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        name = (await push(here.server)).json()["request_uri"]
        seen = await person.open(url_of(here.server, name, client_id="app"))
        assert (seen.status, UNKNOWN in seen.text) == (400, True)
        assert "code" in (await person.open(url_of(here.server, name))).answer


async def test_a_client_that_has_to_push_may(start: Start, clock: Clock) -> None:
    must = WEB | {"require_pushed_authorization_requests": True}
    async with world(start, clock, clients=[APP, must]) as here:
        name = (await push(here.server)).json()["request_uri"]
        assert "code" in (await (await here.person()).open(url_of(here.server, name))).answer


async def test_a_public_client_pushes_by_its_name(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        pushed = await push(here.server, auth=None, client_id="app", redirect_uri=CALLBACK)
        name = pushed.json()["request_uri"]
        assert "code" in (await (await here.person()).open(url_of(here.server, name, "app"))).answer


async def test_a_pushed_request_of_a_stranger_is_agreed_to_all_the_same(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        stranger = await here.stranger()
        pushed = await push(here.server, auth=None, client_id=stranger, redirect_uri=CALLBACK)
        page = await (await here.person()).open(
            url_of(here.server, pushed.json()["request_uri"], client_id=stranger)
        )
        assert page.heading == "Stranger asks to act for you"
        assert here.corp.departures == []


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        (
            {"redirect_uri": "https://evil.example/"},
            "invalid_request",
            "the redirect_uri is none that this client has registered",
        ),
        (
            {"request_uri": "urn:ietf:params:oauth:request_uri:a"},
            "invalid_request",
            "a request_uri cannot be pushed",
        ),
        (
            {"code_challenge_method": "plain"},
            "invalid_request",
            "code_challenge_method is not S256, the only one that is taken here",
        ),
        ({"scope": "root"}, "invalid_scope", "the scope root is unknown here, or not for this client"),
        (
            {"resource": "https://other.example.com/"},
            "invalid_target",
            "the resource https://other.example.com is unknown here, or not for this client",
        ),
        ({"state": "a\nb"}, "invalid_request", "state has a character that is not printable ASCII"),
    ],
)
async def test_what_is_wrong_is_said_at_once(
    changes: dict[str, str | None],
    error: str,
    why: str,
    start: Start,
    clock: Clock,
    tmp_path: Path,
) -> None:
    async with world(start, clock) as here:
        refused = await push(here.server, auth=("web", SECRET), headers=None, **changes)
        assert refused.status_code == 400
        assert refused.json() == {"error": error, "error_description": why}
        assert rows(tmp_path, "pushed_requests") == 0


async def test_a_proof_that_comes_with_it_binds_the_code_to_its_key(start: Start, clock: Clock) -> None:
    """RFC 9449 section 10.1."""
    async with world(start, clock) as here:
        pushed = await push(here.server, headers=proof(here.server, KEY, now=clock(), path="/oauth/par"))
        seen = await (await here.person()).open(url_of(here.server, pushed.json()["request_uri"]))
        form = redemption(seen.answer["code"], client_id="web", redirect_uri=EXACT)
        without = await here.server.token(form, auth=("web", SECRET))
        proven = proof(here.server, KEY, now=clock())
        bound = await here.server.token(form, auth=("web", SECRET), headers=proven)
    assert without.json()["error"] == "invalid_grant"
    assert bound.json()["token_type"] == "DPoP"


async def test_a_proof_of_another_key_than_the_request_names(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        proven = proof(here.server, KEY, now=clock(), path="/oauth/par")
        refused = await push(here.server, headers=proven, dpop_jkt="a" * 43)
    assert refused.json() == {
        "error": "invalid_request",
        "error_description": "dpop_jkt is another key than the one of the proof",
    }


@pytest.mark.parametrize("auth", [None, ("web", "wrong"), ("nobody", SECRET)])
async def test_a_client_that_does_not_prove_itself_pushes_nothing(
    auth: tuple[str, str] | None, start: Start, clock: Clock, tmp_path: Path
) -> None:
    async with world(start, clock) as here:
        refused = await push(here.server, auth=auth, client_id=None if auth else "web")
        assert refused.status_code == 401
        assert refused.json() == {
            "error": "invalid_client",
            "error_description": "the client is unknown or did not prove who it is",
        }
        assert rows(tmp_path, "pushed_requests") == 0


async def test_nothing_of_a_pushed_request_stands_in_the_clear(
    start: Start, clock: Clock, tmp_path: Path
) -> None:
    async with world(start, clock) as here:
        name = (await push(here.server)).json()["request_uri"]
        kept = raw_bytes(tmp_path)
    for secret in (name.rpartition(":")[2], "pushed-state", SECRET, s256(VERIFIER)):
        assert secret.encode() not in kept


async def test_who_pushes_too_often_is_told_when_to_come_back(start: Start, clock: Clock) -> None:
    async with world(start, clock, limits={"authorize": "2/m"}) as here:
        for _ in range(2):
            assert (await push(here.server)).status_code == 201
        refused = await push(here.server)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "31"
    assert refused.json() == {
        "error": "temporarily_unavailable",
        "error_description": "too many requests; try again in 31 seconds",
    }


async def test_the_audit_says_what_was_wrong_with_it(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        await push(here.server, scope="root")
        (event,) = events(here.server, "sign_in_refused")
    assert event == {
        "time": "2027-01-15T08:00:00.000+00:00",
        "event": "sign_in_refused",
        "client": "web",
        "error": "invalid_scope",
        "reason": "the scope root is unknown here, or not for this client",
        "address": "127.0.0.1",
    }
