"""A rotating refresh token is shown once, however many replicas want a new access token."""

from __future__ import annotations

import asyncio

from tests.authserver.conftest import Clock
from tests.authserver.idps.little_idp import LittleIdp
from tests.authserver.upstream_grants.conftest import Replica, connect, grant

from ostiary.authserver.upstream_grants.renewal import fresh_tokens


async def test_a_token_that_is_good_is_given_as_it_is(replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    parts = await replica()
    grant_id = await connect(parts, idp)
    clock.advance(239)
    assert (await fresh_tokens(parts, grant_id, now=clock())).access_token == "access-2"
    assert idp.renewed == []


async def test_one_refresh_across_replicas(replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    one, other = await replica(), await replica()
    grant_id = await connect(one, idp)
    for round_ in range(1, 4):
        clock.advance(301)
        idp.pauses = 0.1
        got = await asyncio.gather(
            *(fresh_tokens(parts, grant_id, now=clock()) for parts in (one, other) for _ in range(5))
        )
        assert len({tokens.access_token for tokens in got}) == 1
        assert len(idp.renewed) == round_
    assert idp.reuses == 0
    assert not idp.families[0].revoked
    assert (await grant(one, grant_id)).tokens.refresh_token == idp.families[0].current
