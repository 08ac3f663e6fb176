"""`/device`, RFC 8628 section 3.3: what a person does for a terminal."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.authserver.agreed import events
from tests.authserver.conftest import RESOURCE, Clock, Server, Start
from tests.authserver.connections.at_the_page import everything, post
from tests.authserver.person import Person, Seen, World, world

from ostiary.oauth.server.client import DEVICE_CODE
from ostiary.storage.schema import device_codes

TERMINAL: dict[str, Any] = {
    "client_id": "terminal",
    "client_name": "Ostiary command line",
    "token_endpoint_auth_method": "none",
    "grant_types": ["device_code", "refresh_token"],
}
CLIENTS = [TERMINAL]


async def begun(server: Server, **said: str) -> dict[str, Any]:
    """What the terminal was given, and shows."""
    form = {"client_id": "terminal", "scope": "mcp", "resource": RESOURCE} | said
    answered = await server.post("/oauth/device_authorization", form)
    assert answered.status_code == 200, answered.text
    body: dict[str, Any] = answered.json()
    return body


async def polled(server: Server, given: dict[str, Any]) -> httpx2.Response:
    """The terminal asks."""
    form = {"grant_type": DEVICE_CODE, "device_code": given["device_code"], "client_id": "terminal"}
    return await server.token(form)


async def confirm(here: World, person: Person, given: dict[str, Any]) -> Seen:
    """The page that shows what the device asks for."""
    entered = await person.open(given["verification_uri"])
    return await person.press(entered, user_code=given["user_code"])


async def test_a_device_is_let_in(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        person = await here.person()
        given = await begun(here.server)
        assert (await polled(here.server, given)).json()["error"] == "authorization_pending"
        seen = await confirm(here, person, given)
        assert seen.heading == "Is this your device?"
        for said in (given["user_code"], "Ostiary command line", RESOURCE, "mcp"):
            assert said in seen.text
        assert here.corp.departures == []  # nobody is asked to sign in before they have agreed
        done = await person.press(seen, decision="allow")
        assert done.heading == "Your device is connected"
        clock.advance(5)
        tokens = (await polled(here.server, given)).json()
        assert tokens["scope"] == "mcp"
        (approved,) = events(here.server, "device_approved")
        assert (approved["client"], approved["owner"]) == ("terminal", "default/gateway")
        (consented,) = events(here.server, "consented")
        assert consented["scopes"] == ["mcp"]


async def test_other_accounts_are_asked_for_on_the_way(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS, hub="required") as here:
        person = await here.person()
        given = await begun(here.server)
        seen = await person.press(await confirm(here, person, given), decision="allow")
        assert seen.heading == "Connect Hub"
        assert (await person.go_through(seen)).heading == "Your device is connected"


async def test_denying_needs_no_sign_in_and_is_told_to_the_device(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        person = await here.person()
        given = await begun(here.server)
        seen = await person.press(await confirm(here, person, given), decision="deny")
        assert seen.heading == "The device was not connected"
        assert here.corp.departures == []
        assert (await polled(here.server, given)).json()["error"] == "access_denied"
        (denied,) = events(here.server, "device_denied")
        assert denied["client"] == "terminal"


async def test_the_complete_address_fills_in_the_code_and_decides_nothing(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        person = await here.person()
        given = await begun(here.server)
        entered = await person.open(given["verification_uri_complete"])
        assert entered.heading == "Connect a device"
        (field,) = [one for one in entered.html.all("input") if one.attributes["name"] == "user_code"]
        assert field.attributes["value"] == given["user_code"]
        assert "Ostiary command line" not in entered.text
        seen = await person.press(entered, user_code=given["user_code"])
        assert seen.heading == "Is this your device?"
        assert (await polled(here.server, given)).json()["error"] == "authorization_pending"


async def test_the_code_stands_in_no_address_after_that_and_in_no_referer(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        person = await here.person()
        given = await begun(here.server)
        entered = await person.open(given["verification_uri_complete"])
        person.passed.clear()
        seen = await person.press(entered, user_code=given["user_code"])
        await person.press(seen, decision="allow")
        assert not any(given["user_code"] in url for url in person.passed)
        policies = {
            response.headers["referrer-policy"] for response in person.responses if not response.is_redirect
        }
        assert policies == {"no-referrer"}


@pytest.mark.parametrize("typed", ["{code}", " {code} ", "{lower}", "{bare}", "{spaced}"])
async def test_how_it_is_typed_does_not_matter(start: Start, clock: Clock, typed: str) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        person = await here.person()
        given = await begun(here.server)
        code = given["user_code"]
        text = typed.format(
            code=code, lower=code.lower(), bare=code.replace("-", ""), spaced=code.replace("-", " ")
        )
        seen = await person.press(await person.open(given["verification_uri"]), user_code=text)
        assert seen.heading == "Is this your device?"


@pytest.mark.parametrize("typed", ["BCDF-GHJK", "", "short", "x" * 200, "<script>", "BCDFGHJKBCDFGHJK"])
async def test_a_code_that_nothing_waits_for_is_told_and_can_be_typed_again(
    start: Start, clock: Clock, typed: str
) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        person = await here.person()
        await begun(here.server)
        seen = await person.press(await person.open(f"{here.server.issuer}/device"), user_code=typed)
        assert (seen.status, seen.heading) == (400, "Connect a device")
        assert "No device waits for this code." in seen.text
        (field,) = [one for one in seen.html.all("input") if one.attributes["name"] == "user_code"]
        assert field.attributes["value"] == typed[:40]


async def test_a_code_that_has_expired_or_was_decided_is_no_code(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        person = await here.person()
        late, denied = await begun(here.server), await begun(here.server)
        asked = await confirm(here, person, denied)
        await person.press(asked, decision="deny")
        again = await person.press(asked, decision="allow")
        assert (again.status, again.heading) == (404, "This device waits no more")
        old = await confirm(here, person, late)
        clock.advance(600)
        assert (await person.press(old, decision="allow")).heading == "This device waits no more"
        assert (await confirm(here, person, late)).heading == "Connect a device"
        assert here.corp.departures == []


async def test_csrf_no_page_of_another_site_decides(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        attacker, victim = await here.person(), await here.person()
        given, other = await begun(here.server), await begun(here.server)
        code = given["user_code"]
        await victim.open(given["verification_uri"])
        theirs = (await confirm(here, attacker, given)).hidden["csrf"]
        of_another_code = (await confirm(here, victim, other)).hidden["csrf"]
        to_look = (await victim.open(given["verification_uri"])).hidden["csrf"]
        for csrf in ("", "guessed", theirs, of_another_code, to_look):
            form = {"user_code": code, "decision": "allow", "csrf": csrf}
            refused = await post(victim, "/device/decide", form)
            assert (refused.status, refused.heading) == (403, "This form is not from here")
        for csrf in ("", "guessed", theirs):
            refused = await post(victim, "/device", {"user_code": code, "csrf": csrf})
            assert (refused.status, refused.heading) == (403, "This form is not from here")
        assert {row["state"] for row in await everything(here.server, device_codes)} == {"pending"}


async def test_a_browser_without_our_cookie_decides_nothing(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        person, fresh = await here.person(), await here.person()
        seen = await confirm(here, person, await begun(here.server))
        refused = await fresh.press(seen, decision="allow")
        assert (refused.status, refused.heading) == (400, "This browser is not known here")


async def test_guessing_user_codes_is_slowed_for_a_browser(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        person = await here.person()
        given = await begun(here.server)
        asked = await confirm(here, person, given)
        for _ in range(9):
            await person.press(await person.open(given["verification_uri"]), user_code="BCDF-GHJK")
        slowed = await confirm(here, person, given)
        assert (slowed.status, slowed.heading) == (429, "We cannot do this right now")
        assert slowed.response is not None
        assert slowed.response.headers["retry-after"] == "7"
        deciding = await person.press(asked, decision="allow")
        assert deciding.status == 429  # each look at a code is a guess
        limited = events(here.server, "rate_limited")
        assert [(one["endpoint"], one["address"]) for one in limited] == [("/device", "127.0.0.1")] * 2
        clock.advance(7)
        assert (await confirm(here, person, given)).heading == "Is this your device?"


async def test_guessing_user_codes_is_slowed_for_an_address_whatever_its_cookies(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        given = await begun(here.server)
        for _ in range(60):
            guesser = await here.person()
            entered = await guesser.open(given["verification_uri"])
            await guesser.press(entered, user_code="BCDF-GHJK")
        slowed = await confirm(here, await here.person(), given)
        assert slowed.status == 429


async def test_a_decision_is_one_of_two(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        person = await here.person()
        seen = await confirm(here, person, await begun(here.server))
        assert (await person.press(seen, decision="perhaps")).status == 400


async def test_of_two_people_with_one_code_one_decides(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        first, second = await here.person(), await here.person()
        given = await begun(here.server)
        pages = [await confirm(here, one, given) for one in (first, second)]
        assert (await first.press(pages[0], decision="allow")).heading == "Your device is connected"
        late = await second.press(pages[1], decision="allow")
        assert (late.status, late.heading) == (404, "This device waits no more")


async def test_a_device_whose_resource_is_gone_waits_no_more(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=CLIENTS) as here:
        person = await here.person()
        given = await begun(here.server)
        asked = await confirm(here, person, given)
        here.server.server.services.resources._entries.clear()
        refused = await person.press(asked, decision="allow")
        assert (refused.status, refused.heading) == (404, "This device waits no more")
