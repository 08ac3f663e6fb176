"""Another account than the connected one comes back."""

from __future__ import annotations

from typing import Any

import pytest
from tests.authserver.agreed import events
from tests.authserver.conftest import Clock, Start
from tests.authserver.connections.at_the_page import (
    connect_url,
    connected,
    everything,
    forms,
    hidden,
    notice,
    page,
    post,
    press,
    rows,
)
from tests.authserver.person import Person, Seen, World, world

from ostiary.storage.schema import session_grants, upstream_grants, walks

MALLORY = {"sub": "account-of-mallory", "name": "Mallory", "preferred_username": "mallory"}
REPLACE = "/connections/replace"


async def offered(here: World, person: Person) -> Seen:
    """The question, after Alice's own account was connected."""
    await connected(person)
    here.hub.person = dict(MALLORY)
    return await person.press(await person.open(connect_url(here.server)))


async def accounts(here: World) -> list[str]:
    """Of the hub."""
    return [row["account"] for row in await everything(here.server, upstream_grants) if row["idp"] == "hub"]


async def test_connecting_another_account_asks(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        asked = await offered(here, person)
        assert asked.heading == "Replace your Hub account?"
        assert "You are about to replace alice-hub by mallory at Hub." in asked.text
        assert asked.buttons == ["keep", "replace"]
        assert await accounts(here) == ["4711"]


async def test_the_other_account_waits_sealed(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        asked = await offered(here, await here.person())
        (waiting,) = await everything(here.server, walks)
        for secret in (here.hub.families[-1].current, asked.hidden["offer"], "mallory", "account-of-mallory"):
            assert secret not in repr(waiting)


async def test_keeping_forgets_the_other_account(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        seen = await person.press(await offered(here, person), decision="keep")
        assert notice(seen) == "Your account was kept. The other one was not connected."
        assert await accounts(here) == ["4711"]
        assert await everything(here.server, walks) == []
        assert events(here.server, "account_replaced") == []


async def test_replacing_ends_the_account_of_before(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        await person.tokens()
        before = await offered(here, person)
        first = here.hub.families[0].current
        seen = await person.press(before, decision="replace")
        assert notice(seen) == (
            "The account was replaced. You can go back to the program that you came from."
        )
        assert await accounts(here) == ["account-of-mallory"]
        assert first in {form["token"] for form in here.hub.revoked}
        (replaced,) = events(here.server, "account_replaced")
        assert (replaced["idp"], replaced["account"], replaced["before"]) == (
            "hub",
            "account-of-mallory",
            "4711",
        )
        (gone,) = events(here.server, "account_disconnected")
        assert gone["account"] == "4711"
        (new,) = [row for row in await everything(here.server, upstream_grants) if row["idp"] == "hub"]
        assert new["id"] in {row["grant_id"] for row in await everything(here.server, session_grants)}
        assert rows(seen)[1].startswith("Hub mallory Connected")


async def test_an_account_that_works_no_more_is_not_replaced_without_asking(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        await connected(person)
        services = here.server.server.services
        dead = upstream_grants.update().values(state="needs_reconnect")
        await services.store.transaction(lambda connection: connection.execute(dead) and None)
        assert rows(await page(person))[0] == "Hub alice-hub Connect it again openid repo"
        here.hub.person = dict(MALLORY)
        asked = await press(person, await page(person), "/connect/hub")
        assert asked.heading == "Replace your Hub account?"


@pytest.mark.parametrize("decision", ["replace", "keep"])
async def test_csrf_a_decision_needs_the_form_of_this_question(
    start: Start, clock: Clock, decision: str
) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        asked = await offered(here, person)
        wrong = hidden(forms(await page(person), "/connections/sign-out")[0])["csrf"]
        for csrf in ({}, {"csrf": "guessed"}, {"csrf": wrong}):
            form = {"offer": asked.hidden["offer"], "decision": decision} | csrf
            refused = await post(person, REPLACE, form)
            assert (refused.status, refused.heading) == (403, "This form is not from here")
        assert len(await everything(here.server, walks)) == 1


async def test_an_offer_of_another_browser_looks_as_if_it_were_gone(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        attacker, victim = await here.person(), await here.person()
        theirs = await offered(here, attacker)
        here.hub.person = {"sub": "4711", "preferred_username": "alice-hub"}
        await connected(victim)
        here.hub.person = dict(MALLORY)
        mine = await person_asked(victim, here)
        stolen = mine.hidden | {"offer": theirs.hidden["offer"], "decision": "replace"}
        refused = await post(victim, REPLACE, stolen)
        assert (refused.status, refused.heading) == (404, "This question was answered already")
        unknown = await post(victim, REPLACE, stolen | {"offer": "unknown"})
        assert unknown.text.partition("eference")[0] == refused.text.partition("eference")[0]
        assert len(await everything(here.server, walks)) == 2  # nothing was spent


async def test_an_offer_is_not_for_whoever_signs_in_next_in_the_same_browser(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        asked = await offered(here, person)
        await press(person, await page(person), "/connections/sign-out")
        here.corp.person = {"sub": "bob", "name": "Bob Biber"}
        here.hub.person = {"sub": "bob-hub", "preferred_username": "bob-hub"}
        await connected(person)
        here.hub.person = dict(MALLORY)
        own = await person_asked(person, here)
        refused = await post(
            person, REPLACE, own.hidden | {"offer": asked.hidden["offer"], "decision": "replace"}
        )
        assert (refused.status, refused.heading) == (404, "This question was answered already")
        assert len(await everything(here.server, walks)) == 2  # nothing was spent


async def test_a_question_is_answered_once_and_in_time(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        asked = await offered(here, person)
        await person.press(asked, decision="keep")
        again = await person.press(asked, decision="replace")
        assert (again.status, again.heading) == (404, "This question was answered already")
        late = await person_asked(person, here)
        clock.advance(601)
        answered = await person.press(late, decision="replace")
        assert (answered.status, answered.heading) == (404, "This question was answered already")
        assert await accounts(here) == ["4711"]


async def test_a_decision_is_one_of_two(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        asked = await offered(here, person)
        refused = await person.press(asked, decision="perhaps")
        assert (refused.status, len(await everything(here.server, walks))) == (400, 1)


async def person_asked(person: Person, here: Any) -> Seen:
    """The question again."""
    return await person.press(await person.open(connect_url(here.server)))
