"""A rotating refresh token is shown once, however many replicas want a new access token."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from sqlalchemy import Connection
from tests.authserver.conftest import Clock
from tests.authserver.idps.little_idp import LittleIdp
from tests.authserver.upstream_grants.conftest import Replica, connect, grant

from ostiary.authserver.idps.idp import GrantDead, IdpAnswerRefused, IdpUnavailable
from ostiary.authserver.server.services import Services
from ostiary.authserver.upstream_grants import renewal
from ostiary.authserver.upstream_grants import transitions as states
from ostiary.authserver.upstream_grants.grant import GrantState, UpstreamGrant
from ostiary.authserver.upstream_grants.renewal import CLAIM
from ostiary.inline_coroutines import as_future
from ostiary.oauth.client.token_response import LONGEST_LIFE
from ostiary.storage.errors import StorageUnavailable
from ostiary.storage.store import digest

CONNECT_AGAIN = "the account at identity provider corp has to be connected again"


def events(folder: Path) -> list[dict[str, str]]:
    """What the audit says, without times and without keys."""
    lines = (folder / "audit.jsonl").read_text().splitlines()
    said = [json.loads(line) for line in lines]
    return [
        {name: value for name, value in event.items() if name in {"event", "reason", "account"}}
        for event in said
        if event["event"].startswith("account_")
    ]


async def test_a_token_that_is_good_is_given_as_it_is(replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(239)
    assert (await services.renewals.fresh_tokens(grant_id, now=clock())).access_token == "access-2"
    assert idp.renewed == []


async def test_a_token_is_renewed_before_it_ends(
    replica: Replica, idp: LittleIdp, clock: Clock, tmp_path: Path
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(240)
    assert (await services.renewals.fresh_tokens(grant_id, now=clock())).access_token == "access-3"
    after = await grant(services, grant_id)
    assert (after.state, after.claim_holder, after.version) == (GrantState.ACTIVE, None, 2)
    assert after.expires_at == pytest.approx(clock() + 300, abs=1)
    assert events(tmp_path) == [{"event": "account_renewed", "account": "248289761001"}]


async def test_a_token_whose_end_nobody_knows_is_good_until_its_server_says_otherwise(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    idp.lifetime = None
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(90 * 24 * 3600)
    tokens = await services.renewals.fresh_tokens(grant_id, now=clock())
    assert (tokens.access_token, idp.renewed) == ("access-2", [])
    rejected = digest(tokens.access_token)
    tokens = await services.renewals.fresh_tokens(grant_id, now=clock(), rejected=rejected)
    assert (tokens.access_token, len(idp.renewed)) == ("access-3", 1)
    tokens = await services.renewals.fresh_tokens(grant_id, now=clock(), rejected=rejected)
    assert (tokens.access_token, len(idp.renewed)) == ("access-3", 1)


async def test_an_id_token_has_an_end_of_its_own(replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    idp.lifetime = 3600
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    await services.renewals.fresh_tokens(grant_id, now=clock())
    assert idp.renewed == []
    first = (await grant(services, grant_id)).tokens.id_token
    second = (await services.renewals.fresh_tokens(grant_id, now=clock(), kind="id")).id_token
    assert (second not in {None, first}, len(idp.renewed)) == (True, 1)
    clock.advance(301)
    idp.answer = {"id_token": None}
    with pytest.raises(IdpAnswerRefused) as refused:
        await services.renewals.fresh_tokens(grant_id, now=clock(), kind="id")
    assert str(refused.value) == "identity provider corp gives no ID token when it renews tokens"


async def test_one_refresh_across_replicas(replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    one, other = await replica(), await replica()
    grant_id = await connect(one, idp)
    for round_ in range(1, 4):
        clock.advance(301)
        idp.pauses = 0.1
        got = await asyncio.gather(
            *(
                services.renewals.fresh_tokens(grant_id, now=clock())
                for services in (one, other)
                for _ in range(5)
            )
        )
        assert len({tokens.access_token for tokens in got}) == 1
        assert len(idp.renewed) == round_
    assert idp.reuses == 0
    assert not idp.families[0].revoked
    assert (await grant(one, grant_id)).tokens.refresh_token == idp.families[0].current


async def test_who_forces_a_renewal_shares_it_with_who_forces_it_at_once(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    one, other = await replica(), await replica()
    seen = await grant(one, await connect(one, idp))
    idp.pauses = 0.1
    await asyncio.gather(*(services.renewals.renewed_tokens(seen, now=clock()) for services in (one, other)))
    assert len(idp.renewed) == 1
    await one.renewals.renewed_tokens(await grant(one, seen.id), now=clock())
    assert (len(idp.renewed), idp.reuses) == (2, 0)


async def test_whoever_leaves_once_a_grant_is_claimed_costs_nobody_the_account(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    before = asyncio.all_tasks()
    asked = as_future(services.renewals.fresh_tokens(grant_id, now=clock()))
    while not any("_claim" in repr(task.get_coro()) for task in asyncio.all_tasks() - before):  # noqa: ASYNC110 - a task
        await asyncio.sleep(0)
    assert asked.cancel()
    while begun := asyncio.all_tasks() - before:
        await asyncio.wait(begun)
    after = await grant(services, grant_id)
    assert (after.state, after.claim_holder, after.version) == (GrantState.ACTIVE, None, 2)
    assert len(idp.renewed) == 1


async def claimed_by_somebody_who_died(services: Services, grant_id: str, now: float) -> None:
    """A replica claims, and is never heard of again."""
    seen = await grant(services, grant_id)

    def claim(connection: Connection) -> UpstreamGrant | None:
        return states.claim(connection, services.store, seen, holder="dead", now=now, until=now + CLAIM)

    assert await services.store.transaction(claim) is not None


async def test_crash_between_redeem_and_store(
    replica: Replica, idp: LittleIdp, clock: Clock, tmp_path: Path
) -> None:
    """The provider rotated the token, and its answer died with the replica that asked."""
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    spent = await grant(services, grant_id)
    await claimed_by_somebody_who_died(services, grant_id, clock())
    await services.idps["corp"].renew(spent.tokens, issuer=spent.issuer, client_id="ostiary", now=clock())
    clock.advance(CLAIM + 1)
    for _ in range(3):
        with pytest.raises(GrantDead):
            await services.renewals.fresh_tokens(grant_id, now=clock())
    assert len(idp.renewed) == 2  # the one whose answer was lost, and one try: never a loop
    assert (await grant(services, grant_id)).state is GrantState.NEEDS_RECONNECT
    assert events(tmp_path) == [
        {
            "event": "account_needs_reconnect",
            "account": "248289761001",
            "reason": "identity provider corp says invalid_grant",
        }
    ]


async def test_a_crash_before_the_provider_was_asked_costs_nothing(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    await claimed_by_somebody_who_died(services, grant_id, clock())
    clock.advance(CLAIM + 1)
    assert (await services.renewals.fresh_tokens(grant_id, now=clock())).access_token == "access-3"
    assert (await grant(services, grant_id)).state is GrantState.ACTIVE


async def test_two_crashes_in_a_row_need_the_person(
    replica: Replica, idp: LittleIdp, clock: Clock, tmp_path: Path
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    for _ in range(2):
        clock.advance(301)
        await claimed_by_somebody_who_died(services, grant_id, clock())
    assert (await grant(services, grant_id)).state is GrantState.IN_DOUBT
    clock.advance(CLAIM + 1)
    for _ in range(2):
        with pytest.raises(GrantDead) as dead:
            await services.renewals.fresh_tokens(grant_id, now=clock())
        assert str(dead.value) == CONNECT_AGAIN
    assert idp.renewed == []
    assert [event["reason"] for event in events(tmp_path)] == ["two in a row died while they renewed it"]


async def test_a_slow_answer_is_stored_although_the_claim_is_another_s_by_now(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    """The old token still stands, so the answer is what counts; whoever has the claim has to read it."""
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    seen = await grant(services, grant_id)
    await claimed_by_somebody_who_died(services, grant_id, clock())
    tokens = await services.idps["corp"].renew(
        seen.tokens, issuer=seen.issuer, client_id="ostiary", now=clock()
    )

    def put(connection: Connection) -> bool:
        return states.put(connection, services.store, seen, tokens, now=clock())

    assert await services.store.transaction(put)
    assert not await services.store.transaction(put)  # and only there
    after = await grant(services, grant_id)
    assert (after.tokens, after.claim_holder, after.state) == (tokens, None, GrantState.ACTIVE)


async def test_a_provider_that_is_down_costs_nothing(replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    one, other = await replica(), await replica()
    grant_id = await connect(one, idp)
    clock.advance(301)
    idp.raw = lambda: web.Response(status=503, headers={"retry-after": "17"})
    with pytest.raises(IdpUnavailable) as down:
        await one.renewals.fresh_tokens(grant_id, now=clock())
    assert down.value.retry_after == 17
    before = await grant(one, grant_id)
    assert (before.state, before.claim_holder, before.version) == (GrantState.ACTIVE, None, 1)
    idp.raw = None
    assert (await other.renewals.fresh_tokens(grant_id, now=clock())).access_token == "access-3"


async def test_who_waits_for_a_provider_that_is_down_does_not_ask_it_again(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    one, other = await replica(), await replica()
    grant_id = await connect(one, idp)
    clock.advance(301)
    idp.pauses, idp.raw = 0.2, lambda: web.Response(status=503)
    outcomes = await asyncio.gather(
        *(
            services.renewals.fresh_tokens(grant_id, now=clock())
            for services in (one, other)
            for _ in range(5)
        ),
        return_exceptions=True,
    )
    assert {type(outcome) for outcome in outcomes} == {IdpUnavailable}
    assert len(idp.renewed) == 1


@pytest.mark.parametrize("status", [500, 502, 200])
async def test_an_answer_that_tells_nothing_puts_the_grant_in_doubt(
    status: int, replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.raw = lambda: web.Response(status=status, text="<html>", content_type="text/html")
    for _ in range(2):
        with pytest.raises(IdpUnavailable if status >= 500 else IdpAnswerRefused):
            await services.renewals.fresh_tokens(grant_id, now=clock())
        assert (await grant(services, grant_id)).state is GrantState.IN_DOUBT
    idp.raw = None
    assert (await services.renewals.fresh_tokens(grant_id, now=clock())).access_token == "access-3"
    assert (await grant(services, grant_id)).state is GrantState.ACTIVE


async def test_an_odd_answer_of_a_provider_that_rotates_is_taken(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    """201, a lifetime without end, no token_type: nothing depends on them, and the old token is spent."""
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.status, idp.answer = 201, {"expires_in": 2147483647, "token_type": None, "scope": {"odd": 1}}
    assert (await services.renewals.fresh_tokens(grant_id, now=clock())).access_token == "access-3"
    after = await grant(services, grant_id)
    assert (after.state, after.tokens.refresh_token) == (GrantState.ACTIVE, idp.families[0].current)
    assert after.expires_at == pytest.approx(clock() + LONGEST_LIFE, abs=1)


async def test_a_spent_refresh_token_is_not_shown_again_after_an_answer_of_no_use(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.answer = {"access_token": ["odd"]}
    with pytest.raises(IdpAnswerRefused) as refused:
        await services.renewals.fresh_tokens(grant_id, now=clock())
    assert str(refused.value) == "identity provider corp: its access_token is not a string"
    assert (await grant(services, grant_id)).tokens.refresh_token == idp.families[0].current == "refresh-3"
    idp.answer = {}
    assert (await services.renewals.fresh_tokens(grant_id, now=clock())).access_token == "access-4"
    assert ([form["refresh_token"] for form in idp.renewed], idp.reuses) == (["refresh-2", "refresh-3"], 0)


async def test_a_refresh_token_that_was_replaced_by_none_needs_the_person(
    replica: Replica, idp: LittleIdp, clock: Clock, tmp_path: Path
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.answer = {"access_token": ["odd"], "refresh_token": ["odd"]}
    for _ in range(2):
        with pytest.raises(GrantDead) as dead:
            await services.renewals.fresh_tokens(grant_id, now=clock())
        assert str(dead.value) == CONNECT_AGAIN
    assert (len(idp.renewed), idp.reuses) == (1, 0)
    reason = "identity provider corp: its access_token is not a string; it replaced the refresh token by none"
    assert [event["reason"] for event in events(tmp_path)] == [reason]


async def test_a_refresh_token_that_gave_another_person_s_tokens_is_not_shown_again(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.claims = {"sub": "bob"}
    for _ in range(2):
        with pytest.raises(GrantDead):
            await services.renewals.fresh_tokens(grant_id, now=clock())
    assert (len(idp.renewed), idp.reuses) == (1, 0)
    assert (await grant(services, grant_id)).state is GrantState.NEEDS_RECONNECT


async def test_a_good_token_beside_a_refresh_token_of_no_use_is_used_to_its_end(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.answer = {"refresh_token": ["odd"]}
    assert (await services.renewals.fresh_tokens(grant_id, now=clock())).access_token == "access-3"
    clock.advance(301)
    with pytest.raises(GrantDead):
        await services.renewals.fresh_tokens(grant_id, now=clock())
    assert (len(idp.renewed), idp.reuses) == (1, 0)


async def test_a_provider_that_does_not_answer_in_time(
    replica: Replica, idp: LittleIdp, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "ASKING", 0.1)
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.pauses = 0.5
    with pytest.raises(IdpUnavailable) as slow:
        await services.renewals.fresh_tokens(grant_id, now=clock())
    assert str(slow.value) == "identity provider corp did not answer within 0.1 seconds"
    assert (await grant(services, grant_id)).state is GrantState.IN_DOUBT


async def test_our_own_mistake_ends_no_grant(replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.refuses = {"error": "invalid_client"}
    for _ in range(3):
        with pytest.raises(IdpAnswerRefused):
            await services.renewals.fresh_tokens(grant_id, now=clock())
    assert (await grant(services, grant_id)).state is GrantState.ACTIVE


async def test_a_grant_without_a_refresh_token_ends_with_its_token(
    replica: Replica, idp: LittleIdp, clock: Clock, tmp_path: Path
) -> None:
    idp.answer = {"refresh_token": None}
    services = await replica()
    grant_id = await connect(services, idp)
    with pytest.raises(GrantDead):
        await services.renewals.fresh_tokens(grant_id, now=clock(), rejected=digest("access-2"))
    assert (await grant(services, grant_id)).state is GrantState.ACTIVE
    clock.advance(301)
    with pytest.raises(GrantDead) as dead:
        await services.renewals.fresh_tokens(grant_id, now=clock())
    assert str(dead.value) == CONNECT_AGAIN
    assert events(tmp_path) == [
        {
            "event": "account_needs_reconnect",
            "account": "248289761001",
            "reason": "its token has ended, and nothing renews it",
        }
    ]


async def test_who_goes_away_loses_no_answer(replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.pauses = 0.2
    impatient = asyncio.create_task(services.renewals.fresh_tokens(grant_id, now=clock()))
    await idp.asked_to_renew.wait()
    impatient.cancel()
    assert (await services.renewals.fresh_tokens(grant_id, now=clock())).access_token == "access-3"
    assert len(idp.renewed) == 1


async def test_an_answer_is_stored_when_the_store_comes_back(
    replica: Replica, idp: LittleIdp, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    put, tries = states.put, []

    def away_at_first(*given: object, **named: object) -> bool:
        tries.append(1)
        if len(tries) < 3:
            raise StorageUnavailable("the disk is full")
        return put(*given, **named)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(states, "put", away_at_first)
    assert (await services.renewals.fresh_tokens(grant_id, now=clock())).access_token == "access-3"
    assert (len(tries), len(idp.renewed)) == (3, 1)


async def test_without_a_store_the_provider_is_not_asked(
    replica: Replica, idp: LittleIdp, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)

    def away(*_: object, **__: object) -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(states, "claim", away)
    with pytest.raises(StorageUnavailable):
        await services.renewals.fresh_tokens(grant_id, now=clock())
    assert idp.renewed == []


async def test_tokens_that_come_for_a_grant_that_is_gone_are_ended(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.pauses = 0.2
    renewing = asyncio.create_task(services.renewals.fresh_tokens(grant_id, now=clock()))
    await idp.asked_to_renew.wait()
    await services.disconnector.disconnect(grant_id)
    with pytest.raises(GrantDead) as dead:
        await renewing
    assert str(dead.value) == "the account is not connected any more"
    assert {"token": "refresh-3", "token_type_hint": "refresh_token"} in idp.revoked


async def test_a_provider_that_the_configuration_has_no_more_ends_nothing(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services, without = await replica(), await replica()
    grant_id = await connect(services, idp)
    dict.clear(without.idps)  # type: ignore[arg-type]  # it is a dict
    clock.advance(301)
    with pytest.raises(GrantDead):
        await without.renewals.fresh_tokens(grant_id, now=clock())
    assert (await services.renewals.fresh_tokens(grant_id, now=clock())).access_token == "access-3"
