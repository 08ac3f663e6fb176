"""Consent: a person agrees to what a client may do before anything else happens. OAuth 2.1 section 7.3.

The confused deputy of MCP's security best practices: an identity provider that knows the person answers
without a word, so whoever gets the code must have been seen before the browser goes there.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.authserver.agreed import APP, ON_THIS_MACHINE, events
from tests.authserver.clients.conftest import Site, authority, site
from tests.authserver.conftest import RESOURCE, Clock, Start
from tests.authserver.database_file import rows
from tests.authserver.person import Seen, world

__all__ = ["authority", "site"]  # fixtures


def facts(page: Seen) -> list[tuple[str, str]]:
    """What the page says besides the rest, by name."""
    pairs = zip(page.html.all("dt"), page.html.all("dd"), strict=True)
    return [(term.text, fact.text) for term, fact in pairs]


async def test_a_client_that_registered_itself_is_agreed_to_before_anything_goes_upstream(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        assert page.heading == "Stranger asks to act for you"
        assert page.buttons == ["allow", "deny"]
        assert here.corp.departures == []
        answer = (await person.press(page, decision="allow")).answer
    assert len(answer.pop("code")) == 43
    assert answer == {"state": "the-client-s-state", "iss": here.server.issuer}


async def test_no_state_is_kept_before_the_person_agreed(start: Start, clock: Clock, tmp_path: Path) -> None:
    """Whatever a link of an attacker's made of this browser, none of it is good for a callback."""
    async with world(start, clock) as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        assert rows(tmp_path, "upstream_states") == 0
        await person.leave(page, decision="allow")
        assert rows(tmp_path, "upstream_states") == 1


async def test_consent_is_asked_for_at_every_interaction(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person, stranger = await here.person(), await here.stranger()
        for _ in range(2):
            page = await person.authorize(client_id=stranger)
            assert page.buttons == ["allow", "deny"]
            await person.press(page, decision="allow")


async def test_the_page_says_who_asks_for_what_and_where_the_answer_goes(start: Start, clock: Clock) -> None:
    resource = {
        "resource": RESOURCE,
        "owner": "default/gateway",
        "scopes": ["mcp", "admin"],
        "default_scopes": ["mcp"],
        "scope_descriptions": {"mcp": "Use the tools"},
        "idps": ["corp", {"name": "hub", "use": "optional"}],
    }
    async with world(start, clock, resources=[resource]) as here:
        stranger = await here.stranger(redirect_uris=["https://stranger.example.com/callback"])
        page = await (await here.person()).authorize(
            client_id=stranger,
            redirect_uri="https://stranger.example.com/callback",
            scope="mcp openid",
        )
    assert facts(page) == [("Answer goes to", "stranger.example.com"), ("Server", RESOURCE)]
    assert [item.text for item in page.html.all("li")] == [
        "Use the tools mcp",
        "Know who you are openid",
        "Corp Says who you are openid profile email",
        "Hub Optional openid repo",
    ]
    assert "Not verified by the operator" in page.text
    assert "Redirect URI: https://stranger.example.com/callback" in page.text


async def test_a_client_of_a_document_is_shown_with_the_host_that_it_is_known_by(
    start: Start, clock: Clock, site: Site
) -> None:
    registration = site.settings()["registration"]
    async with world(start, clock, registration=registration) as here:
        person = await here.person()
        page = await person.authorize(client_id=site.client_id, redirect_uri=ON_THIS_MACHINE)
        assert page.heading == "Zoo Keeper asks to act for you"
        assert facts(page)[0] == (
            "Program\N{RIGHT SINGLE QUOTATION MARK}s site",
            site.origin.removeprefix("https://"),
        )
        assert here.corp.departures == []
        assert "code" in (await person.press(page, decision="allow")).answer


async def test_a_client_of_a_document_that_is_answered_elsewhere_is_warned_of(
    start: Start, clock: Clock, site: Site
) -> None:
    elsewhere = "https://elsewhere.example.com/callback"
    site.document |= {"redirect_uris": [elsewhere], "application_type": "web"}
    async with world(start, clock, registration=site.settings()["registration"]) as here:
        page = await (await here.person()).authorize(client_id=site.client_id, redirect_uri=elsewhere)
    assert ("Answer goes to", "elsewhere.example.com") in facts(page)
    assert "The answer goes to another site than the program" in page.text


async def test_a_client_of_a_document_is_answered_at_its_own_uris_alone(
    start: Start, clock: Clock, site: Site
) -> None:
    async with world(start, clock, registration=site.settings()["registration"]) as here:
        person = await here.person()
        for uri in ("https://evil.example/callback", f"{site.origin}/callback", "http://127.0.0.1:7777/evil"):
            seen = await person.authorize(client_id=site.client_id, redirect_uri=uri)
            assert (seen.status, seen.heading) == (400, "This request cannot be answered")
            assert "The redirect_uri is none that this client has registered." in seen.text
        assert here.corp.departures == []


async def test_a_document_that_cannot_be_had_is_told_on_a_page(
    start: Start, clock: Clock, site: Site
) -> None:
    site.status = 503
    async with world(start, clock, registration=site.settings()["registration"]) as here:
        seen = await (await here.person()).authorize(client_id=site.client_id)
        assert (seen.status, seen.heading) == (400, "This request cannot be answered")
        assert "The client's document cannot be fetched: it answered 503, not 200." in seen.text


async def test_a_loopback_redirect_is_warned_of(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        stranger = await here.stranger(redirect_uris=[ON_THIS_MACHINE])
        page = await (await here.person()).authorize(client_id=stranger, redirect_uri=ON_THIS_MACHINE)
    assert "Go on only if you started this sign-in yourself, just now." in page.text
    assert f"Redirect URI: {ON_THIS_MACHINE}" in page.text


async def test_who_says_no_ends_it_and_the_client_hears_of_it(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        denied = await person.press(page, decision="deny")
        assert denied.answer == {
            "error": "access_denied",
            "error_description": "the person said no",
            "state": "the-client-s-state",
            "iss": here.server.issuer,
        }
        assert here.corp.departures == []
        assert (await person.open(page.url)).heading == "This sign-in has ended"


async def test_a_client_of_the_operator_may_want_the_person_asked(start: Start, clock: Clock) -> None:
    async with world(start, clock, clients=[APP | {"client_name": "The App"}]) as here:
        person = await here.person()
        page = await person.authorize(prompt="consent")
        assert page.heading == "The App asks to act for you"
        assert "The operator of this server knows this program." in page.text
        assert here.corp.departures == []
        assert "code" in (await person.press(page, decision="allow")).answer
        assert "prompt" not in here.corp.departures[0]


async def test_consent_csrf(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person, other = await here.person(), await here.person()
        stranger = await here.stranger()
        page = await person.authorize(client_id=stranger)
        others = await other.authorize(client_id=stranger)
        forged = page.hidden | {"decision": "allow"}
        for token in ("", "a" * 43, others.hidden["csrf"]):
            refused = await person.ask("POST", page.action, forged | {"csrf": token})
            assert refused.status_code == 403
            assert "This form is not from here" in refused.text
        assert here.corp.departures == []
        assert (await person.open(page.url)).buttons == ["allow", "deny"]


async def test_a_token_of_one_interaction_agrees_to_no_other(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        mine = await person.authorize(client_id=await here.stranger())
        evil = await person.authorize(client_id=await here.stranger(client_name="Evil"))
        mixed = evil.hidden | {"csrf": mine.hidden["csrf"], "decision": "allow"}
        assert (await person.ask("POST", evil.action, mixed)).status_code == 403
        assert here.corp.departures == []


async def test_consent_replay(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        assert "code" in (await person.press(page, decision="allow")).answer
        again = await person.press(page, decision="allow")
        assert (again.status, again.heading) == (400, "This sign-in has ended")
        assert len(here.corp.departures) == 1
        assert len(events(here.server, "consented")) == 1


async def test_a_form_that_was_overtaken_decides_nothing(start: Start, clock: Clock) -> None:
    async with world(start, clock, hub="required") as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        assert (await person.press(page, decision="allow")).heading == "Connect Hub"
        late = await person.press(page, decision="deny")
        assert late.heading == "Connect Hub"
        assert events(here.server, "consent_denied") == []


async def test_consent_for_another_clients_cookie(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        await person.sign_in(client_id=await here.stranger())
        page = await person.authorize(client_id=await here.stranger(client_name="Another"))
        assert page.heading == "Another asks to act for you"
        assert len(here.corp.departures) == 1


async def test_the_page_of_one_browser_is_nothing_in_another(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person, other = await here.person(), await here.person()
        page = await person.authorize(client_id=await here.stranger())
        without_cookie = await other.open(page.url)
        assert (without_cookie.status, without_cookie.heading) == (400, "This browser is not known here")
        await other.authorize(client_id=await here.stranger())
        with_its_own = await other.open(page.url)
        assert (with_its_own.status, with_its_own.heading) == (400, "This sign-in has ended")
        stolen = await other.ask("POST", page.action, page.hidden | {"decision": "allow"})
        assert stolen.status_code == 403
        assert here.corp.departures == []


async def test_a_decision_that_no_page_offers_is_refused(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        odd = await person.press(page, decision="maybe")
        assert (odd.status, odd.heading) == (400, "This request cannot be answered")
        assert "The parameter decision has a value that no page of ours sends." in odd.text
        assert (await person.press(page, decision="allow")).answer["state"] == "the-client-s-state"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/json", b"{}"), ("text/plain", b"decision=allow"), ("multipart/form-data", b"")],
)
async def test_only_forms_are_read(content_type: str, body: bytes, start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        refused = await person.http.post(page.action, content=body, headers={"content-type": content_type})
        assert refused.status_code == 400
        assert "The body must be application/x-www-form-urlencoded." in refused.text


async def test_an_interaction_that_took_too_long_has_ended(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person = await here.person()
        page = await person.authorize(client_id=await here.stranger())
        clock.advance(600)
        late = await person.press(page, decision="allow")
        assert (late.status, late.heading) == (400, "This sign-in has ended")
        assert here.corp.departures == []


async def test_the_audit_says_who_agreed_and_who_did_not(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        person, stranger = await here.person(), await here.stranger()
        for decision in ("allow", "deny"):
            await person.press(await person.authorize(client_id=stranger), decision=decision)
        (agreed,), (denied,) = events(here.server, "consented"), events(here.server, "consent_denied")
        (refused,) = events(here.server, "sign_in_refused")
    assert refused["walk"] == denied["walk"] != agreed["walk"]
    for event in (agreed, denied):
        assert len(event.pop("walk")) == 16
    common = {
        "time": "2027-01-15T08:00:00.000+00:00",
        "client": stranger,
        "resource": RESOURCE,
        "owner": "default/gateway",
        "address": "127.0.0.1",
    }
    assert agreed == common | {"event": "consented", "scopes": ["mcp"]}
    assert denied == common | {"event": "consent_denied"}
