"""A program may use an account while its person is away."""

from __future__ import annotations

from typing import Any

from tests.authserver.agreed import APP, events
from tests.authserver.conftest import SECRET, Clock, Start
from tests.authserver.connections.at_the_page import (
    connected,
    everything,
    forms,
    hidden,
    notice,
    page,
    post,
    press,
)
from tests.authserver.pages.reading import Element
from tests.authserver.person import Person, Seen, World, world

from ostiary.storage.schema import away_permissions, upstream_grants

AWAY = "/connections/away"
REVOKE = "/connections/away/revoke"
BOB = {"sub": "bob", "name": "Bob Biber", "email": "bob@example.com"}
NIGHTLY: dict[str, Any] = {
    "client_id": "nightly",
    "client_name": "Nightly report",
    "client_secret": SECRET,
    "grant_types": ["client_credentials"],
}
ELSEWHERE = NIGHTLY | {"client_id": "elsewhere", "resources": ["https://other.example.com/mcp"]}
CLIENTS = [APP, NIGHTLY, ELSEWHERE]


def offers(form: Element) -> list[str]:
    """The programs that a form offers."""
    select = next(form.all("select"))
    return [option.attributes["value"] for option in select.all("option")]


async def allowed(person: Person, **said: str) -> Seen:
    """Leave for the hub's account."""
    await connected(person)
    return await press(person, await page(person), AWAY, **({"client": "nightly", "days": "7"} | said))


async def test_programs_with_access_and_those_without_a_person_are_offered(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock, hub="on_demand", clients=CLIENTS) as here:
        person = await here.person()
        await connected(person)
        assert offers(forms(await page(person), AWAY)[0]) == ["nightly"]
        await person.tokens()
        assert offers(forms(await page(person), AWAY)[0]) == ["app", "nightly"]


async def test_the_permission_is_kept_shown_and_written_down(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand", clients=CLIENTS) as here:
        seen = await allowed(await here.person())
        assert notice(seen) == "The program may use this account when you are away."
        assert (
            "Nightly report may use this account when you are away, until 22 January 2027, 08:00 UTC."
            in seen.text
        )
        (grant,) = await everything(here.server, upstream_grants)
        (kept,) = await everything(here.server, away_permissions)
        assert kept.pop("sealed")
        assert kept == {
            "grant_id": grant["id"],
            "client_id": "nightly",
            "given_at": clock.now,
            "until": clock.now + 7 * 86400,
        }
        (written,) = events(here.server, "away_allowed")
        assert (
            written["client"],
            written["subject"],
            written["idp"],
            written["account"],
            written["until"],
        ) == (
            "nightly",
            grant["user_id"],
            "hub",
            "4711",
            "2027-01-22T08:00:00+00:00",
        )


async def test_it_is_revoked_at_once(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand", clients=CLIENTS) as here:
        person = await here.person()
        seen = await press(person, await allowed(person), REVOKE)
        assert notice(seen) == "The program may not use this account any more when you are away."
        assert await everything(here.server, away_permissions) == []
        (written,) = events(here.server, "away_revoked")
        assert (written["client"], written["idp"]) == ("nightly", "hub")


async def test_it_ends_with_its_last_day_and_with_the_account(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand", clients=CLIENTS) as here:
        person = await here.person()
        await allowed(person)
        clock.advance(7 * 86400)
        assert forms(await page(person), REVOKE) == []
        await allowed(person)
        await press(person, await page(person), "/connections/disconnect")
        assert await everything(here.server, away_permissions) == []


async def test_an_account_that_works_no_more_is_offered_to_nobody(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand", clients=CLIENTS) as here:
        person = await here.person()
        await connected(person)
        seen = await page(person)
        services = here.server.server.services
        dead = upstream_grants.update().values(state="needs_reconnect")
        await services.store.transaction(lambda connection: connection.execute(dead) and None)
        assert forms(await page(person), AWAY) == []
        refused = await press(person, seen, AWAY, client="nightly", days="7")
        assert refused.status == 404


async def test_leave_for_anothers_account_is_refused(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand", clients=CLIENTS) as here:
        attacker, victim = await here.person(), await here.person()
        await allowed(victim)
        (theirs,) = await everything(here.server, upstream_grants)
        here.corp.person = dict(BOB)
        here.hub.person = {"sub": "bob-hub", "preferred_username": "bob-hub"}
        seen = await allowed(attacker)
        for path in (AWAY, REVOKE):
            form = hidden(forms(seen, path)[0]) | {"client": "nightly", "days": "30"}
            for account in (theirs["id"], "unknown"):
                refused = await post(attacker, path, form | {"account": account})
                assert (refused.status, refused.heading) == (404, "That is not here any more")
        untils = [row["until"] for row in await everything(here.server, away_permissions)]
        assert untils == [clock.now + 7 * 86400] * 2


async def test_only_an_offered_program_and_an_offered_time_are_taken(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand", clients=CLIENTS) as here:
        person = await here.person()
        assert await _status(here, person, client="elsewhere") == 404
        assert await _status(here, person, client="https://evil.example.com/client") == 404
        assert await _status(here, person, days="365") == 400
        assert await _status(here, person, days="-1") == 400
        assert await everything(here.server, away_permissions) == []


async def test_csrf_a_permission_is_revoked_by_its_form_alone(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="on_demand", clients=CLIENTS) as here:
        person = await here.person()
        seen = await allowed(person)
        form = hidden(forms(seen, REVOKE)[0])
        for csrf in ("", "guessed", hidden(forms(seen, AWAY)[0])["csrf"]):
            refused = await post(person, REVOKE, form | {"csrf": csrf})
            assert (refused.status, refused.heading) == (403, "This form is not from here")
        assert len(await everything(here.server, away_permissions)) == 1


async def _status(here: World, person: Person, **said: str) -> int:
    return (await allowed(person, **said)).status
