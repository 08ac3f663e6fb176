"""Our address is no way to anybody's: errors of clients that nobody vouches for. RFC 9700 section 4.11.2."""

from __future__ import annotations

from tests.authserver.agreed import ON_THIS_MACHINE, events
from tests.authserver.conftest import Clock, Start
from tests.authserver.person import world

PHISHING = "https://phishing.example.com/callback"


async def test_open_redirect_by_a_registered_strangers_error(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        stranger = await here.stranger(redirect_uris=[PHISHING])
        person = await here.person()
        for wrong in ({"scope": "everything"}, {"prompt": "none"}, {"resource": "https://other.example.com"}):
            seen = await person.authorize(client_id=stranger, redirect_uri=PHISHING, **wrong)
            assert (seen.status, seen.heading) == (400, "This sign-in cannot begin")
            assert all("http-equiv" not in meta.attributes for meta in seen.html.all("meta"))
            link = next(seen.html.all("a")).attributes["href"]
            assert link.startswith(f"{PHISHING}?error=")
            assert "phishing.example.com" in seen.text
        assert len(events(here.server, "sign_in_refused")) == 3


async def test_a_program_on_this_machine_is_told_at_once(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        stranger = await here.stranger(redirect_uris=[ON_THIS_MACHINE])
        asked = {"client_id": stranger, "redirect_uri": ON_THIS_MACHINE, "scope": "everything"}
        told = (await (await here.person()).authorize(**asked)).answer
        assert told["error"] == "invalid_scope"
