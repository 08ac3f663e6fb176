"""Accounts are disconnected and sessions ended, by whose they are."""

from __future__ import annotations

from typing import Any

import pytest
from tests.authserver.agreed import events, refresh
from tests.authserver.conftest import RESOURCE, Clock, Start
from tests.authserver.connections.at_the_page import (
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
from tests.authserver.idps.little_idp import PERSON
from tests.authserver.person import Person, world, world_settings

from ostiary.storage.schema import session_grants, token_sessions, upstream_grants

TODAY = "15 January 2027, 08:00 UTC"
BOB = {"sub": "bob", "name": "Bob Biber", "email": "bob@example.com"}
PATHS = [
    "/connections/sign-out",
    "/connections/disconnect",
    "/connections/end",
    "/connections/away",
    "/connect/hub",
]


async def test_what_there_is_is_listed(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="optional") as here:
        person = await here.person()
        await person.go_through(await person.authorize(), step="skip")
        await person.tokens()
        clock.advance(60)
        seen = await page(person)
        assert [element.text for element in seen.html.all("h2")] == [RESOURCE]
        assert "Kept for default/gateway" in seen.text
        assert rows(seen) == [
            "Corp alice@example.com Connected since 15 January 2027, 08:00 UTC openid profile email",
            "Hub Skipped on 15 January 2027, 08:00 UTC",
            f"app since {TODAY}; last used {TODAY} Do what the server calls “mcp” mcp",
        ]


async def test_a_session_whose_time_is_over_is_not_listed(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        await person.tokens()
        clock.advance(30 * 86400)
        assert rows(await page(person))[-1] == "No program has access."


async def test_disconnecting_revokes_there_and_forgets_here(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        await person.tokens()
        await connected(person)
        (account,) = [one for one in await everything(here.server, upstream_grants) if one["idp"] == "hub"]
        listed = await page(person)
        disconnect = next(
            form
            for form in forms(listed, "/connections/disconnect")
            if hidden(form)["account"] == account["id"]
        )
        seen = await post(person, "/connections/disconnect", hidden(disconnect))
        assert notice(seen) == "The account was disconnected."
        assert rows(seen)[1] == "Hub Not connected"
        assert here.hub.families[0].current in {form["token"] for form in here.hub.revoked}
        assert account["id"] not in {row["grant_id"] for row in await everything(here.server, session_grants)}
        (gone,) = events(here.server, "account_disconnected")
        assert (gone["subject"], gone["idp"], gone["account"]) == (account["user_id"], "hub", "4711")


async def test_ending_a_programs_access_ends_its_session(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        tokens = await person.tokens()
        seen = await press(person, await page(person), "/connections/end")
        assert notice(seen) == "The program has no access any more."
        refused = await refresh(here.server, tokens["refresh_token"])
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        (ended,) = events(here.server, "session_ended")
        assert (ended["client"], ended["reason"]) == ("app", "ended_by_person")
        assert "app" not in seen.text.split()


async def test_ending_anothers_session_is_refused(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        attacker, victim = await here.person(), await here.person()
        tokens = await victim.tokens()
        (theirs,) = await everything(here.server, token_sessions)
        here.corp.person = dict(BOB)
        await attacker.tokens()
        own = hidden(forms(await page(attacker), "/connections/end")[0])
        answers = [
            await post(attacker, "/connections/end", own | {"session": session})
            for session in (theirs["tsid_hash"], "0" * 64, "unknown")
        ]
        assert {(one.status, one.heading) for one in answers} == {(404, "That is not here any more")}
        here.corp.person = dict(PERSON)
        assert (await refresh(here.server, tokens["refresh_token"])).status_code == 200
        assert events(here.server, "session_ended") == []


async def test_disconnecting_anothers_account_is_refused(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        attacker, victim = await here.person(), await here.person()
        await connected(victim)
        (theirs,) = await everything(here.server, upstream_grants)
        here.corp.person = dict(BOB)
        here.hub.person = {"sub": "bob-hub", "preferred_username": "bob-hub"}
        await connected(attacker)
        own = hidden(forms(await page(attacker), "/connections/disconnect")[0])
        answers = [
            await post(attacker, "/connections/disconnect", own | {"account": account})
            for account in (theirs["id"], "00000000-0000-4000-8000-000000000000", "unknown")
        ]
        assert {(one.status, one.heading) for one in answers} == {(404, "That is not here any more")}
        assert await count(here.server, upstream_grants) == 2
        assert here.hub.revoked == []


@pytest.mark.parametrize("path", PATHS)
async def test_csrf_nothing_is_done_without_a_form_of_this_person_for_this(
    start: Start, clock: Clock, path: str
) -> None:
    async with world(start, clock, hub="on_demand") as here:
        attacker, victim = await here.person(), await here.person()
        for person in (attacker, victim):
            await person.tokens()
            await connected(person)
        grants, sessions = (
            await everything(here.server, upstream_grants),
            await everything(here.server, token_sessions),
        )
        asked = await page(victim)
        own = hidden(forms(asked, path)[0]) | {"client": "app", "days": "7"}
        theirs = hidden(forms(await page(attacker), path)[0])["csrf"]
        other = next(one for one in PATHS if one != path)
        wrong = hidden(forms(asked, other)[0])["csrf"]
        for csrf in ("", "guessed", theirs, wrong):
            refused = await post(victim, path, own | {"csrf": csrf})
            assert (refused.status, refused.heading) == (403, "This form is not from here")
        assert await everything(here.server, upstream_grants) == grants
        assert await everything(here.server, token_sessions) == sessions
        done = await post(victim, path, own)
        assert done.status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_who_is_not_signed_in_does_anything(start: Start, clock: Clock, path: str) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        await person.tokens()
        await connected(person)
        form = hidden(forms(await page(person), path)[0]) | {"client": "app", "days": "7"}
        clock.advance(3600)
        refused = await post(person, path, form)
        assert (refused.status, refused.heading) == (403, "You are not signed in any more")


@pytest.mark.parametrize("path", PATHS)
async def test_a_link_does_nothing(start: Start, clock: Clock, path: str) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        await page(person)
        answer = await person.ask("GET", here.server.issuer + path)
        assert answer.status_code == (200 if path == "/connect/hub" else 405)


async def test_what_was_connected_can_be_ended_when_the_configuration_has_it_no_more(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        await connected(person)
        idps: list[Any] = ["corp"]
        other = {"resource": "https://new.example.com/mcp", "owner": "new/owner", "idps": idps}
        settings = world_settings(here.corp, here.hub) | {"resources": [other]}
        later = await here.stack.enter_async_context(start(settings))
        person = Person(later, person.providers, person.http)
        seen = await page(person)
        assert "Kept for default/gateway" in seen.text
        assert forms(seen, "/connect/hub") == []
        seen = await press(person, seen, "/connections/disconnect")
        assert "Nothing is connected, and no program has access." in seen.text
        assert await count(later, upstream_grants) == 0
