"""Signing in at the page of connected accounts."""

from __future__ import annotations

from typing import Any

import pytest
from tests.authserver.agreed import events
from tests.authserver.conftest import RESOURCE, Clock, Start
from tests.authserver.connections.at_the_page import count, everything, notice, page, post, press
from tests.authserver.person import Person, world

from ostiary.storage.schema import browser_sessions, upstream_grants
from ostiary.storage.store import digest

TWO_PROVIDERS: list[dict[str, Any]] = [
    {"resource": RESOURCE, "owner": "default/gateway", "scopes": ["mcp"], "idps": ["corp"]},
    {"resource": "https://zoo.example.com/mcp", "owner": "zoo/keeper", "scopes": ["mcp"], "idps": ["hub"]},
]


def cookie(person: Person, name: str = "-accounts") -> str:
    """The value of the browser's cookie whose name ends so."""
    (value,) = [one.value for one in person.http.cookies.jar if one.name.endswith(name)]
    return value or ""


async def test_the_only_provider_is_gone_to_at_once(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        seen = await page(person)
        assert seen.heading == "Connected accounts"
        assert "You are signed in as Alice Adler." in seen.text
        (signed_in,) = events(here.server, "signed_in")
        assert {name: signed_in[name] for name in ("idp", "account", "address")} == {
            "idp": "corp",
            "account": "248289761001",
            "address": "127.0.0.1",
        }


async def test_nothing_is_kept_of_the_tokens_of_a_sign_in_here(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        await page(await here.person())
        assert await count(here.server, upstream_grants) == 0


async def test_of_several_providers_one_is_chosen(start: Start, clock: Clock) -> None:
    async with world(start, clock, resources=TWO_PROVIDERS) as here:
        person = await here.person()
        choice = await page(person)
        assert (choice.heading, choice.buttons) == ("Sign in", ["corp", "hub"])
        seen = await person.press(choice, idp="hub")
        assert "You are signed in as Alice at the hub." in seen.text
        assert "zoo/keeper" not in seen.text  # nothing to see, nothing to connect


async def test_only_resources_whose_people_sign_in_there_are_listed(start: Start, clock: Clock) -> None:
    with_more = [
        TWO_PROVIDERS[0] | {"idps": ["corp", {"name": "hub", "use": "on_demand"}]},
        TWO_PROVIDERS[1] | {"idps": ["hub", {"name": "corp", "use": "on_demand"}]},
    ]
    async with world(start, clock, resources=with_more) as here:
        person = await here.person()
        seen = await person.press(await page(person), idp="corp")
        assert [element.text for element in seen.html.all("h2")] == [RESOURCE]


async def test_a_provider_that_is_no_identity_any_more_signs_nobody_in(start: Start, clock: Clock) -> None:
    async with world(start, clock, resources=TWO_PROVIDERS) as here:
        person = await here.person()
        departure = await person.leave(await page(person), idp="hub")
        here.server.server.services.resources._entries.popitem()  # as a newer configuration has it
        refused = await person.open(departure)
        assert refused.status == 500
        assert await count(here.server, browser_sessions) == 0


async def test_who_comes_too_often_is_asked_to_wait(start: Start, clock: Clock) -> None:
    async with world(start, clock, limits={"authorize": "3/m"}) as here:
        for _ in range(3):
            await page(await here.person())
        slowed = await page(await here.person())
        assert (slowed.status, slowed.heading) == (429, "We cannot do this right now")
        clock.advance(20)
        assert (await page(await here.person())).heading == "Connected accounts"


async def test_a_provider_that_says_nothing_of_people_here_is_no_choice(start: Start, clock: Clock) -> None:
    async with world(start, clock, resources=TWO_PROVIDERS) as here:
        person = await here.person()
        refused = await person.press(await page(person), idp="other")
        assert (refused.status, refused.heading) == (400, "This request cannot be answered")


async def test_login_csrf_the_choice_needs_a_form_of_this_browser(start: Start, clock: Clock) -> None:
    async with world(start, clock, resources=TWO_PROVIDERS) as here:
        attacker, victim = await here.person(), await here.person()
        theirs = (await page(attacker)).hidden
        await page(victim)
        for csrf in ({}, {"csrf": "guessed"}, theirs):
            refused = await post(victim, "/connections/sign-in", {"idp": "corp"} | csrf)
            assert (refused.status, refused.heading) == (403, "This form is not from here")
        assert here.corp.departures == []


async def test_login_csrf_a_sign_in_is_finished_by_the_browser_that_began_it(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        attacker, victim = await here.person(), await here.person()
        departure = (await attacker.ask("GET", f"{here.server.issuer}/connections")).headers["location"]
        callback = f"{here.server.issuer}/oauth/callback/corp?{here.corp.approve(departure).decode()}"
        for _ in range(2):  # without a cookie, and with one
            refused = await victim.ask("GET", callback)
            assert refused.status_code == 400
            await victim.ask("GET", f"{here.server.issuer}/connections")
        assert await count(here.server, browser_sessions) == 0


async def test_session_fixation_a_cookie_that_was_there_before_is_worth_nothing(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        await page(person)
        planted = "planted" + "x" * 36
        name = next(one.name for one in person.http.cookies.jar if one.name.endswith("-accounts"))
        person.http.cookies.delete(name)
        person.http.cookies.set(name, planted, domain="127.0.0.1")
        await page(person)
        values = [one.value for one in person.http.cookies.jar if one.name == name]
        sessions = await everything(here.server, browser_sessions)
        assert digest(planted) not in {row["session_hash"] for row in sessions}
        assert set(values) - {planted}


async def test_signing_in_again_ends_the_session_of_before(start: Start, clock: Clock) -> None:
    async with world(start, clock, resources=TWO_PROVIDERS) as here:
        person = await here.person()
        choice = await page(person)
        await person.press(choice, idp="corp")
        before = cookie(person)
        await person.press(choice, idp="hub")
        assert cookie(person) != before
        (session,) = await everything(here.server, browser_sessions)
        assert (session["session_hash"], session["idp"]) == (digest(cookie(person)), "hub")


async def test_the_cookie_is_of_this_host_alone_and_no_script_reads_it(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        await page(person)
        port = here.server.issuer.rpartition(":")[2]
        (given,) = {
            one.headers["set-cookie"].replace(cookie(person), "...")
            for one in person.responses
            if "-accounts" in one.headers.get("set-cookie", "")
        }
        assert given == f"ostiary-{port}-accounts=...; HttpOnly; Max-Age=3600; Path=/; SameSite=lax"


async def test_after_an_hour_the_provider_is_asked_again(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        await page(person)
        clock.advance(3599)
        await page(person)
        assert len(here.corp.departures) == 1
        clock.advance(1)
        await page(person)
        assert len(here.corp.departures) == 2


async def test_signing_out_ends_the_session_in_the_store_too(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        seen = await page(person)
        stolen = dict(person.http.cookies)
        done = await press(person, seen, "/connections/sign-out")
        assert done.heading == "You are signed out"
        assert await count(here.server, browser_sessions) == 0
        assert not any(name.endswith("-accounts") for name in dict(person.http.cookies))
        person.http.cookies.update(stolen)
        answer = await person.ask("GET", f"{here.server.issuer}/connections")
        assert answer.headers["location"].startswith(here.corp.url)


async def test_open_redirect_where_to_go_afterwards_is_never_read_from_a_request(
    start: Start, clock: Clock
) -> None:
    evil = "https://evil.example.com"
    async with world(start, clock, resources=TWO_PROVIDERS) as here:
        person = await here.person()
        choice = await person.open(f"{here.server.issuer}/connections?return_to={evil}&next={evil}")
        seen = await person.press(choice, idp="corp", return_to=evil, next=evil)
        assert seen.url == f"{here.server.issuer}/connections"
        assert not any(url.startswith(evil) for url in person.passed)


@pytest.mark.parametrize(
    ("said", "status", "text"),
    [
        ({"error": "access_denied", "code": ""}, 400, "The sign-in at Corp was refused."),
        ({"iss": "https://evil.example.com"}, 500, "Corp gave an answer that cannot be used."),
    ],
)
async def test_a_sign_in_that_fails_is_told_and_written_down(
    start: Start, clock: Clock, said: dict[str, str], status: int, text: str
) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        person.provider_says = said
        seen = await page(person)
        assert seen.status == status
        assert text in seen.text
        (refused,) = events(here.server, "sign_in_refused")
        assert refused["idp"] == "corp"
        assert await count(here.server, browser_sessions) == 0


async def test_a_sentence_about_what_was_done_cannot_be_put_into_a_link(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        attacker, victim = await here.person(), await here.person()
        await page(attacker)
        await page(victim)
        for forged in ("ended", "ended.", "ended.guess", "no-such-word.x", "."):
            seen = await victim.open(f"{here.server.issuer}/connections?done={forged}")
            assert (seen.heading, notice(seen)) == ("Connected accounts", "")


async def test_clickjacking_no_page_can_be_framed(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        for path in (
            "/connections",
            "/connect/hub",
            "/connect/none",
            "/device",
            "/device?user_code=WDJB-MJHT",
        ):
            seen = await person.open(here.server.issuer + path)
            assert seen.response is not None
            headers = seen.response.headers
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"
