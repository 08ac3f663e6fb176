"""Which accounts are asked for on the way, and what becomes of those that are not connected."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from sqlalchemy import Connection, select, update
from tests.authserver.agreed import events, redemption
from tests.authserver.conftest import Clock, Start
from tests.authserver.database_file import rows
from tests.authserver.person import HUB_PERSON, Person, Seen, World, world

from ostiary.authserver.interaction.authorization_request import AuthorizationRequest
from ostiary.authserver.interaction.interaction_state import InteractionState
from ostiary.authserver.interaction.interaction_store import (
    create_interaction,
    finish_interaction,
    replace_state,
)
from ostiary.authserver.upstream_grants.grant import GrantState
from ostiary.oauth.server.client import ClientKind
from ostiary.storage.schema import idp_choices, upstream_grants


async def choices(here: World) -> list[tuple[str, str, str]]:
    """What is remembered: provider, choice, reason."""
    columns = idp_choices.c
    found = await here.server.server.services.store.read(
        lambda connection: connection.execute(select(columns.idp, columns.choice, columns.reason)).all()
    )
    return [(row.idp, row.choice, row.reason) for row in found]


async def accounts(here: World, idp: str) -> list[str]:
    """What is connected at a provider."""
    columns = upstream_grants.c
    query = select(columns.account).where(columns.idp == idp).order_by(columns.account)
    return await here.server.server.services.store.read(
        lambda connection: list(connection.execute(query).scalars())
    )


async def dies(here: World, idp: str) -> None:
    """The provider takes the tokens of an account no more."""
    dead = update(upstream_grants).where(upstream_grants.c.idp == idp)
    await here.server.server.services.store.transaction(
        lambda connection: connection.execute(dead.values(state=GrantState.NEEDS_RECONNECT))
    )


def shown(page: Seen) -> list[str]:
    """The accounts on the page."""
    return [item.text for item in page.html.all("li")]


async def test_a_required_account_is_connected_and_shown_before_the_client_gets_anything(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        page = await person.authorize()
        assert (page.heading, page.buttons) == ("Connect Hub", ["connect", "cancel"])
        assert shown(page) == ["Corp Connected as alice@example.com", "Hub Next"]
        page = await person.press(page, step="connect")
        assert (page.heading, page.buttons) == ("Your accounts are connected", ["continue", "cancel"])
        assert shown(page) == ["Corp Connected as alice@example.com", "Hub Connected as alice-hub"]
        assert "code" in (await person.press(page, step="continue")).answer


async def test_a_connected_account_is_not_asked_for_again(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        await person.tokens()
        assert "code" in (await person.authorize()).answer
        assert "code" in await person.sign_in(prompt="consent")
        assert len(here.hub.departures) == 1


async def test_the_account_of_one_person_is_not_anothers(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        await (await here.person()).tokens()
        here.corp.person = {"sub": "2", "name": "Bob"}
        page = await (await here.person()).authorize()
        assert shown(page) == ["Corp Connected as Bob", "Hub Next"]


async def test_an_account_that_works_no_more_is_asked_for_again(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        await person.tokens()
        await dies(here, "hub")
        page = await person.authorize()
        assert page.heading == "Connect Hub"
        page = await person.press(page, step="connect")
        assert page.heading == "Your accounts are connected"


async def test_a_required_account_cannot_be_skipped(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        for step in ("skip", "continue", "finish"):
            page = await person.press(await person.authorize(), step=step)
            assert (page.status, page.heading) == (400, "This request cannot be answered")
        assert here.hub.departures == []


async def test_an_account_on_demand_is_not_part_of_the_interaction(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand") as here:
        person = await here.person()
        assert "code" in (await person.authorize()).answer
        page = await person.authorize(prompt="consent")
        assert "Hub" not in page.text


async def test_a_skipped_account_is_remembered_and_asked_for_again_only_by_consent(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock, hub="optional") as here:
        person = await here.person()
        page = await person.authorize()
        assert (page.heading, page.buttons) == ("Connect Hub", ["connect", "skip", "cancel"])
        assert "code" in (await person.press(page, step="skip")).answer
        assert await choices(here) == [("hub", "skipped", "")]
        assert "code" in (await person.authorize()).answer
        page = await person.press(await person.authorize(prompt="consent"), decision="allow")
        assert page.heading == "Connect Hub"
        await person.go_through(page)
        assert await choices(here) == []
        assert len(here.hub.departures) == 1


async def test_what_was_skipped_in_an_interaction_that_came_to_nothing_is_not_remembered(
    start: Start, clock: Clock, tmp_path: Path
) -> None:
    async with world(start, clock, hub="optional") as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        page = await person.press(page, decision="allow")
        await person.press(page, step="cancel")
        assert await choices(here) == []
        assert rows(tmp_path, "users") == rows(tmp_path, "walks") == 0


async def test_cancel_ends_the_interaction_and_the_client_hears_of_it(
    start: Start, clock: Clock, tmp_path: Path
) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        page = await person.authorize()
        cancelled = await person.press(page, step="cancel")
        assert cancelled.answer == {
            "error": "access_denied",
            "error_description": "the person cancelled the sign-in",
            "state": "the-client-s-state",
            "iss": here.server.issuer,
        }
        assert rows(tmp_path, "walks") == rows(tmp_path, "codes") == 0


async def test_a_required_account_that_is_refused_ends_the_interaction(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        page = await person.authorize()
        person.provider_says = {"error": "access_denied", "code": ""}
        assert (await person.press(page, step="connect")).answer == {
            "error": "access_denied",
            "error_description": "the sign-in at Hub was refused",
            "state": "the-client-s-state",
            "iss": here.server.issuer,
        }
        assert await choices(here) == []


async def test_an_optional_account_that_is_refused_is_remembered_and_the_interaction_goes_on(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock, hub="optional") as here:
        person = await here.person()
        page = await person.authorize()
        person.provider_says = {"error": "access_denied", "code": ""}
        assert "code" in (await person.press(page, step="connect")).answer
        assert await choices(here) == [("hub", "refused", "Hub refused.")]
        (event,) = events(here.server, "sign_in_refused")
        person.provider_says = {}
        assert "code" in (await person.authorize()).answer
    assert event["idp"] == "hub"
    assert event["reason"] == "identity provider hub says access_denied"


async def test_an_optional_account_that_fails_is_asked_for_next_time(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="optional") as here:
        person = await here.person()
        page = await person.authorize()
        here.hub.refuses = {"error": "invalid_request"}
        assert "code" in (await person.press(page, step="connect")).answer
        assert await choices(here) == [("hub", "failed", "Hub did not answer as it should.")]
        here.hub.refuses = None
        page = await person.authorize()
        assert page.heading == "Connect Hub"
        await person.go_through(page)
        assert await choices(here) == []


@pytest.mark.parametrize(("use", "error"), [("optional", None), ("required", "temporarily_unavailable")])
async def test_a_provider_that_is_down_costs_an_optional_account_or_the_whole_interaction(
    use: str, error: str | None, start: Start, clock: Clock
) -> None:
    async with world(start, clock, hub=use) as here:
        person = await here.person()
        page = await person.authorize()
        here.hub.raw = lambda: web.Response(status=503)
        assert (await person.press(page, step="connect")).answer.get("error") == error


async def test_connecting_another_account_asks(start: Start, clock: Clock) -> None:
    """An attacker's account at the hub, planted in the browser, is seen before it is anybody's."""
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        await person.tokens()
        await dies(here, "hub")
        here.hub.person = {"sub": "666", "preferred_username": "mallory"}
        page = await person.press(await person.authorize(), step="connect")
        assert (page.heading, page.buttons) == ("Replace your Hub account?", ["keep", "replace"])
        assert "Connected now alice-hub" in page.text.replace("Connected nowalice", "Connected now alice")
        assert "You signed in as mallory" in page.text.replace("asmallory", "as mallory")

        page = await person.press(page, decision="keep")
        assert page.heading == "Connect Hub"
        assert shown(page)[1] == "Hub Did not work You kept alice-hub. Sign in with that account."

        here.hub.person = dict(HUB_PERSON)
        page = await person.press(page, step="connect")
        assert shown(page)[1] == "Hub Connected as alice-hub"


async def test_an_account_is_replaced_when_its_person_says_so(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        await person.tokens()
        await dies(here, "hub")
        here.hub.person = {"sub": "8", "preferred_username": "alice-at-work"}
        page = await person.press(await person.authorize(), step="connect")
        page = await person.press(page, decision="replace")
        assert page.heading == "Your accounts are connected"
        assert shown(page)[1] == "Hub Connected as alice-at-work"
        assert await accounts(here, "hub") == ["4711"]  # until the code is redeemed
        await redeemed(person, page)
        await here.server.server.services.background.finish()
        assert await accounts(here, "hub") == ["8"]


async def test_who_keeps_an_optional_account_may_skip_it_then(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="optional") as here:
        person = await here.person()
        await person.tokens()
        await dies(here, "hub")
        here.hub.person = {"sub": "666", "preferred_username": "mallory"}
        page = await person.press(await person.authorize(), step="connect")
        page = await person.press(page, decision="keep")
        assert (page.heading, page.buttons) == ("Connect Hub", ["connect", "skip", "cancel"])
        assert "code" in (await person.press(page, step="skip")).answer
        assert await choices(here) == [("hub", "skipped", "")]


async def test_what_is_replaced_is_what_was_shown(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        await person.tokens()
        await dies(here, "hub")
        page = await person.authorize()
        departures = [await person.leave(page, step="connect") for _ in range(2)]
        offers = []
        for departure, name in zip(departures, ("alice-at-work", "mallory"), strict=True):
            query = here.hub.approve(departure).decode()
            here.hub.person = {"sub": name, "preferred_username": name}
            offers.append(await person.open(f"{here.server.issuer}/oauth/callback/hub?{query}"))
        assert "alice-at-work" in offers[0].text
        late = await person.press(offers[0], decision="replace")
        assert late.heading == "Replace your Hub account?"
        assert "mallory" in late.text


async def test_replacing_cannot_be_forged(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        await person.tokens()
        await dies(here, "hub")
        here.hub.person = {"sub": "666", "preferred_username": "mallory"}
        page = await person.press(await person.authorize(), step="connect")
        forged = await person.ask("POST", page.action, page.hidden | {"csrf": "", "decision": "replace"})
        assert forged.status_code == 403
        odd = await person.press(page, decision="both")
        assert odd.status == 400
        assert (await person.open(page.url)).heading == "Replace your Hub account?"


async def test_two_tabs_never_overwrite_each_other(start: Start, clock: Clock) -> None:
    """What one tab decided on is decided on; the other is shown how things stand."""
    async with world(start, clock, hub="optional") as here:
        person = await here.person()
        page = await person.authorize(prompt="consent")
        answers = await asyncio.gather(
            *(person.ask("POST", page.action, page.hidden | {"decision": "allow"}) for _ in range(5))
        )
        assert [answer.status_code for answer in answers].count(200) == 1  # it goes on
        assert [answer.status_code for answer in answers].count(303) == 4  # the page again
        assert len(events(here.server, "consented")) == 1


async def test_what_a_tab_did_not_show_is_not_decided_on_there(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="optional", depot="optional") as here:
        person = await here.person()
        about_hub = await person.authorize()
        assert (await person.press(about_hub, step="connect")).heading == "Connect Depot"
        late = await person.press(about_hub, step="skip")
        assert late.heading == "Connect Depot"
        assert shown(late) == [
            "Corp Connected as alice@example.com",
            "Hub Connected as alice-hub",
            "Depot Next Optional",
        ]


async def test_an_interaction_ends_only_as_it_was_seen(start: Start, clock: Clock) -> None:
    authorization = AuthorizationRequest(
        "app", "App", ClientKind.PREREGISTERED, "https://mcp.example.com/mcp", "default/gateway", ()
    )
    async with world(start, clock) as here:
        store, state = here.server.server.services.store, InteractionState(authorization)

        def work(connection: Connection) -> list[bool]:
            seen = create_interaction(
                connection, store, state, browser_hash="b" * 64, expires_at=clock() + 600
            )
            after = replace_state(connection, store, seen, state)
            assert after is not None
            overtaken = replace_state(connection, store, seen, state)
            ends = [finish_interaction(connection, one) for one in (seen, after, after)]
            return [overtaken is not None, *ends]

        assert await store.transaction(work) == [False, False, True, False]


async def test_two_tabs_never_get_two_codes(start: Start, clock: Clock, tmp_path: Path) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        page = await person.press(await person.authorize(), step="connect")
        await asyncio.gather(
            *(person.ask("POST", page.action, page.hidden | {"step": "continue"}) for _ in range(5))
        )
        assert rows(tmp_path, "codes") == 1


async def test_a_login_that_two_tabs_go_through_is_connected_once(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        page = await person.authorize()
        departures = [await person.leave(page, step="connect") for _ in range(2)]
        callbacks = [
            f"{here.server.issuer}/oauth/callback/hub?{here.hub.approve(one).decode()}" for one in departures
        ]
        await asyncio.gather(*(person.ask("GET", one) for one in callbacks))
        page = await person.open(page.url)
        assert shown(page) == ["Corp Connected as alice@example.com", "Hub Connected as alice-hub"]
        tokens = await redeemed(person, page)
        assert tokens["scope"] == "mcp"


async def test_nobody_begins_logins_without_end(start: Start, clock: Clock, tmp_path: Path) -> None:
    async with world(start, clock, hub="required", limits={"authorize": "5/m"}) as here:
        person = await here.person()
        page = await person.authorize()
        for _ in range(4):
            await person.leave(page, step="connect")
        seen = await person.press(page, step="connect")
        assert (seen.status, seen.heading) == (429, "We cannot do this right now")
        assert rows(tmp_path, "upstream_states") == 4


async def test_the_page_can_be_loaded_again_at_every_step(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        for _ in range(3):
            assert (await person.open(page.url)).text == page.text
            page = await person.press(page, **next_decision(page))
            if page.response is None:
                break
        assert "code" in page.answer


def next_decision(page: Seen) -> dict[str, str]:
    button = next(page.html.all("button")).attributes
    return {button["name"]: button["value"]}


async def redeemed(person: Person, page: Seen) -> dict[str, str]:
    """The tokens of an interaction that is gone through to its end."""
    answer = (await person.go_through(page)).answer
    answered = await person.server.token(redemption(answer["code"]))
    body: dict[str, str] = json.loads(answered.text)
    return body
