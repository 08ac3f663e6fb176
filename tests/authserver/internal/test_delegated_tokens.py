"""A program that acts for a person without a session of theirs gets what they let it use, and no more."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from tests.authserver.agreed import APP, events
from tests.authserver.conftest import SECRET, Clock, Start
from tests.authserver.connections.at_the_page import connected, everything, forms, hidden, page, post
from tests.authserver.internal.conftest import EARLY, GATEWAY, LATE, Inside, opened
from tests.authserver.person import Person
from tests.peers.workload_authority import WorkloadAuthority

from ostiary.oauth.jwt_parts import unverified_claims
from ostiary.storage.schema import upstream_grants

AWAY = "/connections/away"

NIGHTLY = {
    "client_id": "nightly",
    "client_name": "Nightly report",
    "client_secret": SECRET,
    "grant_types": ["client_credentials"],
}
ENTRY = {"idps": ["corp", {"name": "hub", "use": "on_demand"}]}


async def with_account(inside: Inside) -> tuple[Person, str]:
    """Somebody who connected the hub's account, and a token of theirs."""
    person = await inside.world.person()
    token = (await person.tokens())["access_token"]
    await connected(person)
    return person, token


async def allow(person: Person) -> None:
    """The program may use the hub's account for a week."""
    of_hub = {row["id"] for row in await everything(person.server, upstream_grants) if row["idp"] == "hub"}
    offers = map(hidden, forms(await page(person), AWAY))
    [form] = [form for form in offers if not of_hub.isdisjoint(form.values())]
    await post(person, AWAY, form | {"client": "nightly", "days": "7"})


def delegated(inside: Inside, token: str, **changes: Any) -> str:
    """As a token exchange gives it: for the same person, and no session."""
    said = {name: value for name, value in unverified_claims(token).items() if name != "tsid"}
    act = {"iss": inside.world.server.issuer, "sub": "nightly", "client_id": "nightly"}
    said |= {"client_id": "nightly", "act": act, "jti": secrets.token_urlsafe(), **changes}
    return inside.world.server.server.services.signing.sign(said, typ="at+jwt")


async def test_a_program_gets_the_account_that_its_person_lets_it_use_and_no_other(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path
) -> None:
    clients = [APP, NIGHTLY, NIGHTLY | {"client_id": "other"}]
    async with opened(start, clock, authority, tmp_path, entry=ENTRY, clients=clients) as inside:
        person, alices = await with_account(inside)
        corp = inside.world.corp
        corp.person = {**corp.person, "sub": "bob-at-corp", "email": "bob@example.com"}
        _, bobs = await with_account(inside)
        token = delegated(inside, alices)
        before = await inside.exchange(token)
        await allow(person)
        given = await inside.exchange(token)
        revoked = delegated(inside, alices)
        await inside.world.server.post("/oauth/revoke", {"token": revoked}, auth=("nightly", SECRET))
        stranger = authority.issue(GATEWAY.replace("gateway", "other"), begins=EARLY, ends=LATE)
        refused = {
            "before it was allowed": before,
            "another client": await inside.exchange(delegated(inside, alices, client_id="other")),
            "another person": await inside.exchange(delegated(inside, bobs)),
            "another provider": await inside.exchange(token, resource="both", audience="corp"),
            "a server that may not": await inside.exchange(token, resource="zoo"),
            "another workload": await inside.exchange(token, stranger),
            "a token that was revoked": await inside.exchange(revoked),
        }
        clock.advance(8 * 86400)
        late = delegated(inside, alices, iat=int(clock()), exp=int(clock()) + 900)
        refused["when its time is over"] = await inside.exchange(late)
        [written] = events(inside.world.server, "upstream_token_given")
    assert given.status_code == 200, given.text
    assert written["act"]["client_id"] == "nightly"
    assert {name: answered.json().get("error") for name, answered in refused.items()} == dict.fromkeys(
        refused, "invalid_grant"
    )
    assert len({answered.text for answered in refused.values()}) == 1
