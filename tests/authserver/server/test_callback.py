"""`/oauth/callback/{idp}`: what comes back from providers. RFC 6749 section 10.12, RFC 9207, RFC 9700."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx2
import pytest
from aiohttp import web
from joserfc import jws
from tests.authserver.agreed import CALLBACK, events
from tests.authserver.conftest import Clock, Start
from tests.authserver.database_file import locked, raw_bytes, rows
from tests.authserver.idps.little_idp import LittleIdp
from tests.authserver.person import Person, World, authorize_url, where_to, world, world_settings
from tests.peers.mcp_clients.client import free_port
from tests.peers.postgresql import PostgreSql

from ostiary.authserver.server.sweep import sweep

CANNOT_GO_ON = "This sign-in cannot go on"


async def departed(person: Person, **changes: str | None) -> str:
    """Where the server sends a browser that opens the client's link."""
    return where_to(await person.ask("GET", authorize_url(person.server, **changes))) or ""


def back(here: World, departure: str, *, at: LittleIdp | None = None, **answer: str) -> str:
    """Where the provider sends it back to."""
    name = "corp" if at is None or at is here.corp else "hub"
    query = (at or here.corp).approve(departure, **answer).decode()
    return f"{here.server.issuer}/oauth/callback/{name}?{query}"


async def test_callback_from_another_browser(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        attacker, victim, busy_victim = [await here.person() for _ in range(3)]
        await departed(busy_victim)
        url = back(here, await departed(attacker))
        without_cookie = await victim.open(url)
        assert (without_cookie.status, without_cookie.heading) == (400, "This browser is not known here")
        with_its_own = await busy_victim.open(url)
        assert (with_its_own.status, with_its_own.heading) == (400, CANNOT_GO_ON)
        assert here.corp.redeemed == []
        assert "code" in (await attacker.open(url)).answer  # nothing was spent


async def test_second_leg_from_another_browser(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        attacker, victim = await here.person(), await here.person()
        theirs = await victim.authorize()
        page = await attacker.authorize()
        url = back(here, await attacker.leave(page, step="connect"), at=here.hub)
        refused = await victim.open(url)
        assert (refused.status, refused.heading) == (400, CANNOT_GO_ON)
        assert here.hub.redeemed == []
        assert (await victim.open(theirs.url)).heading == "Connect Hub"
        assert (await attacker.open(url)).heading == "Your accounts are connected"


async def test_state_fixation(start: Start, clock: Clock) -> None:
    """A state that the attacker chose, or the client's own one, is none of ours."""
    async with world(start, clock) as here:
        person = await here.person()
        departure = await departed(person, state="chosen-by-the-attacker")
        for state in ("chosen-by-the-attacker", "", "a" * 43):
            refused = await person.open(back(here, departure, state=state))
            assert (refused.status, refused.heading) == (400, CANNOT_GO_ON)
        assert here.corp.redeemed == []


async def test_a_state_comes_once(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        url = back(here, await departed(person))
        assert "code" in (await person.open(url)).answer
        again = await person.open(url)
        assert (again.status, again.heading) == (400, CANNOT_GO_ON)
        assert len(here.corp.redeemed) == 1


async def test_a_state_stands_once_in_an_answer(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        refused = await person.open(back(here, await departed(person)) + "&state=another")
        assert (refused.status, refused.heading) == (400, "This request cannot be answered")
        assert "The parameter state stands more than once." in refused.text
        assert here.corp.redeemed == []


async def test_a_state_that_expired_is_none(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        url = back(here, await departed(person))
        clock.advance(600)
        assert (await person.open(url)).heading == CANNOT_GO_ON


async def test_a_state_of_another_provider_is_none(start: Start, clock: Clock) -> None:
    """Mix-up, as the attacker's provider would have it: a code of one is never redeemed at another."""
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        departure = await departed(person)
        at_the_hub = back(here, departure).replace("/callback/corp", "/callback/hub")
        assert (await person.open(at_the_hub)).heading == CANNOT_GO_ON
        nowhere = await person.open(back(here, departure).replace("/callback/corp", "/callback/nobody"))
        assert nowhere.heading == CANNOT_GO_ON
        assert here.corp.redeemed == here.hub.redeemed == []
        assert (await person.open(back(here, departure))).heading == "Connect Hub"


@pytest.mark.parametrize("said", ["https://evil.example.com", ""])
async def test_mix_up(said: str, start: Start, clock: Clock) -> None:
    """The answer says another issuer, or none where it was promised: the code goes nowhere (RFC 9207)."""
    async with world(start, clock) as here:
        person = await here.person()
        seen = await person.open(back(here, await departed(person), iss=said))
        assert seen.answer == {
            "error": "server_error",
            "error_description": "Corp gave an answer that cannot be used",
            "state": "the-client-s-state",
            "iss": here.server.issuer,
        }
        assert here.corp.redeemed == []


async def test_swapped_states_of_two_interactions(start: Start, clock: Clock) -> None:
    """A code that was given for one login, brought with the state of another, fails its PKCE."""
    async with world(start, clock) as here:
        person = await here.person()
        one, other = await departed(person), await departed(person)
        first = dict(parse_qsl(urlsplit(back(here, one)).query))
        second = dict(parse_qsl(urlsplit(other).query))
        query = httpx2.QueryParams(first | {"state": second["state"]})
        seen = await person.open(f"{here.server.issuer}/oauth/callback/corp?{query}")
        assert seen.answer["error"] == "server_error"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_one_use_of_a_state_across_replicas(
    kind: str, start: Start, clock: Clock, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage: dict[str, Any] = {}
    if kind == "postgresql":
        database: PostgreSql = request.getfixturevalue("postgresql")
        monkeypatch.setenv("STORE_PASSWORD", database.password)
        storage = {"url": database.new_database(), "password": {"env": "STORE_PASSWORD"}}
    async with world(start, clock, storage=storage) as here:
        settings = world_settings(here.corp, here.hub) | {"issuer": here.server.issuer}
        port = free_port()
        async with start(settings, port=port, storage=storage):
            person = await here.person()
            url = back(here, await departed(person))
            replica = url.replace(here.server.issuer, f"http://127.0.0.1:{port}")
            answers = await asyncio.gather(
                *(person.http.get(one) for one in (url, replica) for _ in range(4))
            )
    given = [answer for answer in answers if answer.status_code == 303]
    refused = [answer for answer in answers if answer.status_code == 400]
    assert len(given) == 1
    assert "code=" in given[0].headers["location"]
    assert len(refused) == 7
    assert all(CANNOT_GO_ON in answer.text for answer in refused)
    assert len(here.corp.redeemed) == 1


async def test_a_refusal_upstream_is_told_to_the_client_in_our_words(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        person.provider_says = {"error": "access_denied", "error_description": "no <b>way</b>", "code": ""}
        seen = await person.authorize()
        assert seen.url.startswith(f"{CALLBACK}?")
        assert seen.answer == {
            "error": "access_denied",
            "error_description": "the sign-in at Corp was refused",
            "state": "the-client-s-state",
            "iss": here.server.issuer,
        }
        (event,) = events(here.server, "sign_in_refused")
    assert (event["idp"], event["error"]) == ("corp", "access_denied")
    assert "no <b>way</b>" in event["reason"]


async def test_a_refusal_in_latin_1_is_told_to_the_client(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        state = dict(parse_qsl(urlsplit(await departed(person)).query))["state"]
        at = f"{here.server.issuer}/oauth/callback/corp?error=access_denied&error_description=refus%E9"
        answer = (await person.open(f"{at}&state={state}&iss={quote(here.corp.url, safe='')}")).answer
    assert (answer["error"], answer["state"]) == ("access_denied", "the-client-s-state")


async def test_an_empty_error_beside_a_code_is_none(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        url = back(here, await departed(person)) + "&error=&error_description=&scope=a&scope=b"
        assert "code" in (await person.open(url)).answer


@pytest.mark.parametrize(
    "header",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"x-moz": "prefetch"},
    ],
    ids=str,
)
async def test_a_browser_that_fetches_ahead_spends_nothing(
    header: dict[str, str], start: Start, clock: Clock, tmp_path: Path
) -> None:
    """At no page: none is shown to it, so none is counted as seen."""
    async with world(start, clock) as here:
        person = await here.person()
        asked = await person.http.get(authorize_url(here.server), headers=header)
        assert (asked.status_code, asked.headers["cache-control"]) == (503, "no-store")
        assert rows(tmp_path, "walks") == 0
        url = back(here, await departed(person))
        for path in ("/oauth/walk", "/connections", "/connect/hub", "/device"):
            assert (await person.http.get(here.server.issuer + path, headers=header)).status_code == 503
        assert (
            await person.http.post(here.server.issuer + "/oauth/consent", headers=header)
        ).status_code == 503
        assert (await person.http.get(url, headers=header)).status_code == 503
        assert (rows(tmp_path, "upstream_states"), here.corp.redeemed) == (1, [])
        assert "code" in (await person.open(url)).answer


@pytest.mark.parametrize("said", ["temporarily_unavailable", "server_error"])
async def test_a_provider_that_says_it_is_down_makes_us_unavailable(
    said: str, start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        person.provider_says = {"error": said, "code": ""}
        answer = (await person.authorize()).answer
    assert answer["error"] == "temporarily_unavailable"
    assert answer["error_description"] == "Corp cannot be reached now, or does not answer"


@pytest.mark.parametrize(
    "raw",
    [
        lambda: web.Response(text="<html>welcome</html>", content_type="text/html"),
        lambda: web.Response(body=b'{"access_token": "' + b"a" * 5 * 1024 * 1024 + b'"}'),
        lambda: web.Response(status=302, headers={"location": "http://127.0.0.1:1/"}),
        lambda: web.Response(status=500),
    ],
)
async def test_nonsense_of_a_token_endpoint_ends_the_interaction(
    raw: Any, start: Start, clock: Clock, tmp_path: Path
) -> None:
    async with world(start, clock) as here:
        here.corp.raw = raw
        answer = (await (await here.person()).authorize()).answer
        assert answer["error"] in {"server_error", "temporarily_unavailable"}
        assert (answer["state"], answer["iss"]) == ("the-client-s-state", here.server.issuer)
        assert rows(tmp_path, "walks") == rows(tmp_path, "upstream_states") == 0


@pytest.mark.parametrize(
    "claims", [{"nonce": "another"}, {"aud": "another"}, {"iss": "https://evil.example"}]
)
async def test_an_id_token_that_is_not_for_this_login_signs_nobody_in(
    claims: dict[str, str], start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        here.corp.claims = claims
        answer = (await (await here.person()).authorize()).answer
    assert answer["error"] == "server_error"
    assert answer["error_description"] == "Corp gave an answer that cannot be used"


async def test_a_provider_that_is_down_before_it_begins(start: Start, clock: Clock) -> None:
    settings = [
        {"name": "corp", "label": "Corp", "issuer": "http://127.0.0.1:1", "client_id": "ostiary"},
    ]
    async with world(start, clock, upstream_idps=settings) as here:
        answer = (await (await here.person()).authorize()).answer
    assert answer == {
        "error": "temporarily_unavailable",
        "error_description": "Corp cannot be reached now, or does not answer",
        "state": "the-client-s-state",
        "iss": here.server.issuer,
    }


async def test_a_store_that_is_away_spends_nothing(start: Start, clock: Clock, tmp_path: Path) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        url = back(here, await departed(person))
        with locked(tmp_path):
            seen = await person.open(url)
        assert (seen.status, seen.heading) == (503, "We cannot do this right now")
        assert person.responses[-1].headers["retry-after"] == "5"
        assert here.corp.redeemed == []
        assert "code" in (await person.open(url)).answer


async def test_a_store_that_goes_away_after_the_login_costs_the_login_alone(
    start: Start, clock: Clock, tmp_path: Path
) -> None:
    async with world(start, clock) as here, contextlib.AsyncExitStack() as stack:
        person = await here.person()

        def lock_and_sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
            stack.enter_context(locked(tmp_path))
            return jws.serialize_compact(header, json.dumps(claims), here.corp.key)

        here.corp.forged = lock_and_sign
        seen = await person.authorize()
        assert (seen.status, seen.heading) == (503, "We cannot do this right now")
        assert len(here.corp.redeemed) == 1
        await stack.aclose()
        here.corp.forged = None
        assert "code" in (await person.open(seen.url)).answer


async def test_a_callback_of_an_interaction_that_ended_gives_nothing(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        url = back(here, await person.leave(page, decision="allow"))
        clock.advance(1)
        shown = await person.ask("GET", page.url)
        assert where_to(shown) is not None  # it would go on to the provider
        person.provider_says = {"error": "access_denied", "code": ""}
        assert (await person.open(page.url)).answer["error"] == "access_denied"
        late = await person.open(url)
        assert (late.status, late.heading) == (400, "This sign-in has ended")


async def test_the_same_interaction_never_gets_a_second_person(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        as_alice = back(here, await person.leave(page, decision="allow"))
        as_mallory = back(here, where_to(await person.ask("GET", page.url)) or "")
        assert (await person.open(as_alice)).heading == "Connect Hub"
        here.corp.person = {"sub": "666", "name": "Mallory"}
        seen = await person.open(as_mallory)
        assert (seen.status, seen.heading) == (409, "You are signed in as somebody else")
        assert "as alice@example.com" in (await person.open(page.url)).text


async def test_abandoned_walk_leaves_nothing(start: Start, clock: Clock, tmp_path: Path) -> None:
    async with world(start, clock, hub="required") as here:
        page = await (await here.person()).authorize()
        assert page.heading == "Connect Hub"
        assert rows(tmp_path, "walks") == 1
        assert rows(tmp_path, "users") == rows(tmp_path, "upstream_grants") == 0
        assert b"access-" not in raw_bytes(tmp_path)
        clock.advance(600)
        await sweep(here.server.server.services, now=clock())
        assert rows(tmp_path, "walks") == rows(tmp_path, "upstream_states") == rows(tmp_path, "codes") == 0
        assert rows(tmp_path, "users") == rows(tmp_path, "upstream_grants") == 0


async def test_no_secret_in_any_output(
    start: Start, clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        answer = (await person.go_through(page)).answer
        (cookie,) = [value for _, value in person.http.cookies.items()]
        states = [departure["state"] for departure in (*here.corp.departures, *here.hub.departures)]
        nonces = [departure["nonce"] for departure in (*here.corp.departures, *here.hub.departures)]
        tokens = [family.current for family in (*here.corp.families, *here.hub.families)]
        tokens += ["access-2", "access-4"]
        ours = [cookie, answer["code"], page.hidden["walk"], *states, *nonces]
        pages = b"".join(
            b"".join(b"%s: %s\n" % header for header in response.headers.raw) + response.content
            for response in person.responses
        ).decode()
        kept = raw_bytes(tmp_path).decode("latin-1") + here.server.audit_file.read_text()
    printed = capsys.readouterr()
    for secret in tokens:
        assert secret not in pages
    for secret in [*tokens, *ours]:
        assert secret not in kept + printed.out + printed.err
    assert {response.headers["referrer-policy"] for response in person.responses} == {"no-referrer"}
