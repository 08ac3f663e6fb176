"""`/connect/{idp}`: one more account."""

from __future__ import annotations

from typing import Any

import pytest
from tests.authserver.agreed import events
from tests.authserver.conftest import RESOURCE, Clock, Start
from tests.authserver.connections.at_the_page import (
    connect_url,
    connected,
    count,
    everything,
    forms,
    hidden,
    notice,
    page,
    post,
    press,
    rows,
)
from tests.authserver.person import Person, world

from ostiary.storage.schema import idp_choices, session_grants, token_sessions, upstream_grants

OTHER = "https://zoo.example.com/mcp"
THIRD = "https://third.example.com/mcp"
BOB = {"sub": "bob", "name": "Bob Biber", "email": "bob@example.com"}


async def leave(person: Person, idp: str = "hub") -> str:
    """Where the browser is sent when its person presses Connect."""
    return await person.leave(await person.open(connect_url(person.server, idp)))


async def test_a_link_shows_what_would_be_connected_and_begins_nothing(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        asked = await person.open(connect_url(here.server))
        assert asked.heading == "Connect your Hub account?"
        for said in ("Alice Adler", RESOURCE, "default/gateway", "openid repo"):
            assert said in asked.text
        assert here.hub.departures == []
        assert len(here.corp.departures) == 1  # the sign-in


async def test_whoever_signs_in_on_the_way_comes_back_to_the_question(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        asked = await person.open(connect_url(here.server))
        assert asked.url == connect_url(here.server)


async def test_the_account_is_kept_for_the_owner_and_shown(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        seen = await connected(person)
        assert seen.url.startswith(f"{here.server.issuer}/connections?done=connected.")
        assert notice(seen) == "The account is connected. You can go back to the program that you came from."
        assert rows(seen) == [
            "Hub alice-hub Connected since 15 January 2027, 08:00 UTC openid repo",
            "No program has access.",
        ]
        (grant,) = await everything(here.server, upstream_grants)
        assert (grant["idp"], grant["owner"], grant["account"]) == ("hub", "default/gateway", "4711")
        (written,) = events(here.server, "account_connected")
        assert {name: written[name] for name in ("subject", "owner", "resource", "idp", "account")} == {
            "subject": grant["user_id"],
            "owner": "default/gateway",
            "resource": RESOURCE,
            "idp": "hub",
            "account": "4711",
        }


async def test_running_sessions_get_the_account_without_a_new_sign_in(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person, other = await here.person(), await here.person()
        await person.tokens()
        await person.tokens(client_id="app")
        here.corp.person = dict(BOB)
        await other.tokens()
        await connected(other)
        here.corp.person = {"sub": "248289761001", "name": "Alice Adler"}
        await connected(person)
        alice, bob = await _grants_of(here, "hub")
        theirs = await everything(here.server, token_sessions)
        pointed = {
            (row["tsid_hash"], row["grant_id"]) for row in await everything(here.server, session_grants)
        }
        for grant in (alice, bob):
            mine = {one["tsid_hash"] for one in theirs if one["user_id"] == grant["user_id"]}
            assert {tsid for tsid, grant_id in pointed if grant_id == grant["id"]} == mine
        assert len(theirs) == 3


async def test_sessions_that_ended_get_nothing(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        tokens = await person.tokens()
        await here.server.post("/oauth/revoke", {"token": tokens["refresh_token"], "client_id": "app"})
        await connected(person)
        assert await count(here.server, session_grants) == 0


async def test_sessions_whose_time_is_over_get_nothing(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        await person.tokens()
        clock.advance(30 * 86400)
        await connected(person)
        (hub,) = await _grants_of(here, "hub")
        pointing = await everything(here.server, session_grants)
        assert hub["id"] not in {row["grant_id"] for row in pointing}


async def test_sessions_at_another_resource_of_the_owner_get_nothing(start: Start, clock: Clock) -> None:
    resources = [
        {"resource": RESOURCE, "owner": "default/gateway", "scopes": ["mcp"], "idps": ["corp"]},
        {
            "resource": OTHER,
            "owner": "default/gateway",
            "scopes": ["mcp"],
            "idps": ["corp", {"name": "hub", "use": "on_demand"}],
        },
    ]
    async with world(start, clock, resources=resources) as here:
        person = await here.person()
        await person.tokens(resource=RESOURCE)
        await person.tokens(resource=OTHER)
        await person.press(await person.open(connect_url(here.server, resource=OTHER)))
        (hub,) = await _grants_of(here, "hub")
        sessions = {
            row["tsid_hash"]: row["resource"] for row in await everything(here.server, token_sessions)
        }
        pointing = [
            row for row in await everything(here.server, session_grants) if row["grant_id"] == hub["id"]
        ]
        assert [sessions[row["tsid_hash"]] for row in pointing] == [OTHER]


async def test_a_session_that_begins_later_has_the_account(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        await connected(person)
        await person.tokens()
        (hub,) = await _grants_of(here, "hub")
        assert hub["id"] in {row["grant_id"] for row in await everything(here.server, session_grants)}


async def test_connect_login_from_another_browser(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        attacker, victim = await here.person(), await here.person()
        departure = await leave(attacker)
        here.corp.person = dict(BOB)
        await page(victim)
        callback = f"{here.server.issuer}/oauth/callback/hub?{here.hub.approve(departure).decode()}"
        refused = await victim.open(callback)
        assert (refused.status, refused.heading) == (400, "This sign-in cannot go on")
        assert await count(here.server, upstream_grants) == 0
        seen = await attacker.open(callback)  # it was not spent by that
        assert notice(seen).startswith("The account is connected.")


async def test_connect_login_of_somebody_who_is_not_signed_in_any_more(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        departure = await leave(person)
        await press(person, await page(person), "/connections/sign-out")
        await _comes_back_in_vain(here, person, departure, "nobody is signed in")


async def test_connect_login_of_another_person_in_the_same_browser(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        departure = await leave(person)
        await press(person, await page(person), "/connections/sign-out")
        here.corp.person = dict(BOB)
        await page(person)
        await _comes_back_in_vain(here, person, departure, "somebody else is signed in")


async def test_csrf_a_login_begins_with_a_form_of_this_person_alone(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        attacker, victim = await here.person(), await here.person()
        theirs = (await attacker.open(connect_url(here.server))).hidden
        listed = await page(victim)
        wrong = hidden(forms(listed, "/connections/sign-out")[0])["csrf"]
        for csrf in ({}, {"csrf": theirs["csrf"]}, {"csrf": wrong}):
            refused = await post(victim, "/connect/hub", {"resource": RESOURCE} | csrf)
            assert (refused.status, refused.heading) == (403, "This form is not from here")
        assert here.hub.departures == []


async def test_a_form_of_an_earlier_session_is_worth_nothing(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        asked = await person.open(connect_url(here.server))
        clock.advance(3600)
        late = await person.press(asked)
        assert (late.status, late.heading) == (403, "You are not signed in any more")
        await page(person)
        again = await person.press(asked)
        assert (again.status, again.heading) == (403, "This form is not from here")


@pytest.mark.parametrize(
    "path",
    [
        "/connect/nobody",
        "/connect/hub?resource=https%3A%2F%2Fevil.example.com%2Fmcp",
        "/connect/hub?resource=%5C%5Cevil",
        "/connect/hub?resource=https%3A%2F%2Fmcp.example.com%2Fmcp%2F..%2Fadmin",
        "/connect/other",
    ],
)
async def test_what_is_not_configured_is_not_there(start: Start, clock: Clock, path: str) -> None:
    async with world(start, clock, hub="on_demand") as here:
        seen = await (await here.person()).open(here.server.issuer + path)
        assert (seen.status, seen.heading) == (404, "There is nothing to connect here")


async def test_a_link_without_a_resource_means_the_only_one(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        seen = await (await here.person()).open(connect_url(here.server, resource=None))
        assert seen.heading == "Connect your Hub account?"
        assert RESOURCE in seen.text


async def test_a_link_without_a_resource_leads_to_the_list_where_several_are_meant(
    start: Start, clock: Clock
) -> None:
    idps = ["corp", {"name": "hub", "use": "on_demand"}]
    resources = [
        {"resource": RESOURCE, "owner": "default/gateway", "idps": idps},
        {"resource": OTHER, "owner": "zoo/keeper", "idps": idps},
    ]
    async with world(start, clock, resources=resources) as here:
        seen = await (await here.person()).open(connect_url(here.server, resource=None))
        assert seen.heading == "Connected accounts"
        assert len(forms(seen, "/connect/hub")) == 2


async def test_a_resource_below_a_prefix_is_connected_for_its_owner(start: Start, clock: Clock) -> None:
    idps = ["corp", {"name": "hub", "use": "on_demand"}]
    resources = [{"resource": "https://mcp.example.com/*", "owner": "default/gateway", "idps": idps}]
    async with world(start, clock, resources=resources) as here:
        person = await here.person()
        await connected(person)
        (hub,) = await _grants_of(here, "hub")
        assert hub["owner"] == "default/gateway"
        listed = await page(person)
        assert "https://mcp.example.com/*" in listed.text
        again = await press(person, listed, "/connect/hub")
        assert notice(again).startswith("The account is connected.")


async def test_the_identity_of_the_resource_has_to_be_signed_in(start: Start, clock: Clock) -> None:
    resources = [
        {"resource": RESOURCE, "owner": "default/gateway", "idps": ["corp"]},
        {"resource": OTHER, "owner": "zoo/keeper", "idps": ["hub", {"name": "corp", "use": "on_demand"}]},
    ]
    async with world(start, clock, resources=resources) as here:
        person = await here.person()
        await person.press(await page(person), idp="corp")
        asked = await person.open(connect_url(here.server, "corp", OTHER))
        assert "Signed in asAlice at the hub" in asked.text
        assert len(here.hub.departures) == 1


async def test_a_form_does_not_connect_for_a_resource_of_other_people(start: Start, clock: Clock) -> None:
    resources = [
        {
            "resource": RESOURCE,
            "owner": "default/gateway",
            "idps": ["corp", {"name": "hub", "use": "on_demand"}],
        },
        {"resource": OTHER, "owner": "zoo/keeper", "idps": ["hub"]},
        {"resource": THIRD, "owner": "third/one", "idps": ["corp"]},
    ]
    async with world(start, clock, resources=resources) as here:
        person = await here.person()
        await person.press(await page(person), idp="corp")
        asked = await person.open(connect_url(here.server))
        before = len(here.hub.departures)
        for resource in (OTHER, THIRD, "https://evil.example.com/mcp"):
            refused = await post(person, "/connect/hub", asked.hidden | {"resource": resource})
            assert (refused.status, refused.heading) == (404, "There is nothing to connect here")
        assert len(here.hub.departures) == before
        linked = await person.open(connect_url(here.server, resource=THIRD))
        assert (linked.status, linked.heading) == (404, "There is nothing to connect here")


async def test_nobody_else_is_connected_where_the_provider_says_who_somebody_is(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        asked = await person.open(connect_url(here.server, "corp"))
        here.corp.person = dict(BOB)
        refused = await person.press(asked)
        assert (refused.status, refused.heading) == (400, "The account was not connected")
        assert "You are signed in here as Alice Adler, and came back as somebody else." in refused.text
        assert await count(here.server, upstream_grants) == 0


async def test_a_refusal_is_remembered_and_shown(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="optional") as here:
        person = await here.person()
        asked = await person.open(connect_url(here.server))
        person.provider_says = {"error": "access_denied", "code": ""}
        seen = await person.press(asked)
        assert notice(seen) == "The account was not connected: the sign-in there was refused."
        assert rows(seen)[0] == "Hub Refused on 15 January 2027, 08:00 UTC Hub refused."
        (refused,) = events(here.server, "account_refused")
        assert (refused["idp"], refused["error"], refused["owner"]) == (
            "hub",
            "access_denied",
            "default/gateway",
        )
        person.provider_says = {}
        seen = await connected(person)
        assert "Refused" not in seen.text
        assert await count(here.server, idp_choices) == 0


async def test_a_provider_that_answers_nonsense_is_told_and_not_remembered(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        asked = await person.open(connect_url(here.server))
        person.provider_says = {"iss": "https://evil.example.com"}
        seen = await person.press(asked)
        assert (seen.status, "Hub gave an answer that cannot be used." in seen.text) == (500, True)
        assert await count(here.server, idp_choices) == 0


async def test_connecting_the_same_account_again_asks_nothing(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        await connected(person)
        seen = await press(person, await page(person), "/connect/hub")
        assert notice(seen).startswith("The account is connected.")
        assert await count(here.server, upstream_grants) == 1


async def test_an_account_that_is_not_connected_there_any_more_is_refused(start: Start, clock: Clock) -> None:
    idps: list[Any] = ["corp", {"name": "hub", "use": "on_demand"}]
    resources = [{"resource": RESOURCE, "owner": "default/gateway", "idps": idps}]
    async with world(start, clock, resources=resources) as here:
        person = await here.person()
        departure = await leave(person)
        entry = here.server.server.services.resources.entries[0]
        entry.idps.pop()  # as a replica with a newer configuration has it
        refused = await person.open(departure)
        assert (refused.status, refused.heading) == (400, "The account was not connected")
        assert await count(here.server, upstream_grants) == 0


async def _grants_of(here: Any, idp: str) -> list[dict[str, Any]]:
    found = [row for row in await everything(here.server, upstream_grants) if row["idp"] == idp]
    users = {row["user_id"]: row["created_at"] for row in await everything(here.server, token_sessions)}
    return sorted(found, key=lambda row: users.get(row["user_id"], 0.0))


async def _comes_back_in_vain(here: Any, person: Person, departure: str, reason: str) -> None:
    refused = await person.open(departure)
    assert (refused.status, refused.heading) == (403, "The account was not connected")
    assert await count(here.server, upstream_grants) == 0
    (written,) = events(here.server, "account_refused")
    assert (written["idp"], written["reason"]) == ("hub", reason)
