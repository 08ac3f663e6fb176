"""A workload hears which of its sessions ended, and of nobody else's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.authserver.conftest import Clock, Start
from tests.authserver.internal.conftest import DOMAIN, EARLY, LATE, Inside, opened
from tests.peers.workload_authority import WorkloadAuthority

from ostiary.authserver.internal import revocation_feed
from ostiary.authserver.sessions import ended_sessions
from ostiary.oauth.jwt_parts import unverified_claims
from ostiary.storage.store import digest

FEED = "/internal/revocations"


async def session_of(inside: Inside) -> tuple[str, str]:
    """A new session's access token, and its name in the feed."""
    token = (await (await inside.world.person()).tokens())["access_token"]
    return token, digest(unverified_claims(token)["tsid"])


async def revoke(inside: Inside, token: str) -> None:
    form = {"token": token, "client_id": "app"}
    assert (await inside.world.server.post("/oauth/revoke", form)).status_code == 200


async def test_who_begins_to_listen_lets_everything_go(inside: Inside) -> None:
    async with inside.workload() as http:
        said = (await http.get(FEED)).json()
    assert (said["reset"], said["ended"]) == (True, [])
    assert float(said["next"]) > 0


async def test_a_session_that_ends_is_told_at_once(inside: Inside, clock: Clock) -> None:
    token, name = await session_of(inside)
    async with inside.workload(timeout=30) as http:
        after = (await http.get(FEED)).json()["next"]
        clock.advance(1)
        waiting = asyncio.create_task(http.get(FEED, params={"after": after}))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await revoke(inside, token)
        said = (await waiting).json()
        assert (said["reset"], said["ended"]) == (False, [name])
        again = (await http.get(FEED, params={"after": said["next"]})).json()
    assert again["ended"] == [name]  # within seconds, what ended is told more than once


async def test_what_has_settled_is_told_once(
    inside: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation_feed, "LONGEST_WAIT", 0.0)
    token, name = await session_of(inside)
    async with inside.workload() as http:
        after = (await http.get(FEED)).json()["next"]
        clock.advance(1)
        await revoke(inside, token)
        clock.advance(10)
        said = (await http.get(FEED, params={"after": after})).json()
        assert said["ended"] == [name]
        assert (await http.get(FEED, params={"after": said["next"]})).json()["ended"] == []


async def test_a_late_commit_is_not_missed(
    inside: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica whose clock is behind says of an end that it was before our last look."""
    monkeypatch.setattr(revocation_feed, "LONGEST_WAIT", 0.0)
    token, name = await session_of(inside)
    async with inside.workload() as http:
        after = (await http.get(FEED)).json()["next"]
        clock.advance(20)
        said = (await http.get(FEED, params={"after": after})).json()
        assert said["ended"] == []
        clock.advance(-4)
        await revoke(inside, token)
        clock.advance(4)
        assert (await http.get(FEED, params={"after": said["next"]})).json()["ended"] == [name]


async def test_a_late_commit_right_after_the_beginning_is_not_missed(
    inside: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same of the answer that lets everything go: what is kept from then on may have ended before it."""
    monkeypatch.setattr(revocation_feed, "LONGEST_WAIT", 0.0)
    token, name = await session_of(inside)
    async with inside.workload() as http:
        after = (await http.get(FEED)).json()["next"]
        clock.advance(-4)
        await revoke(inside, token)
        clock.advance(4)
        assert (await http.get(FEED, params={"after": after})).json()["ended"] == [name]


async def test_more_ends_of_one_moment_than_an_answer_names_are_not_lost(
    inside: Inside, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a resource is remapped: its sessions end at once, and a cursor is behind all of them."""
    monkeypatch.setattr(revocation_feed, "LONGEST_WAIT", 0.0)
    monkeypatch.setattr(ended_sessions, "MOST", 2)
    tokens = [(await session_of(inside))[0] for _ in range(3)]
    async with inside.workload() as http:
        clock.advance(20)
        after = (await http.get(FEED)).json()["next"]
        clock.advance(20)
        for token in tokens[:2]:
            await revoke(inside, token)
        two = (await http.get(FEED, params={"after": after})).json()
        await revoke(inside, tokens[2])
        clock.advance(20)
        three = (await http.get(FEED, params={"after": after})).json()
        none = (await http.get(FEED, params={"after": three["next"]})).json()
    assert (two["reset"], len(two["ended"])) == (False, 2)
    assert (three["reset"], three["ended"]) == (True, [])
    assert (none["reset"], none["ended"]) == (False, [])


async def test_a_workload_that_is_denied_while_it_waits_is_told_nothing(
    start: Start,
    clock: Clock,
    authority: WorkloadAuthority,
    tmp_path: Path,
) -> None:
    denied = tmp_path / "denied"
    denied.write_text("")
    async with (
        opened(start, clock, authority, tmp_path, internal={"deny": "denied"}) as inside,
        inside.workload(timeout=30) as http,
    ):
        token, name = await session_of(inside)
        after = (await http.get(FEED)).json()["next"]
        waiting = asyncio.create_task(http.get(FEED, params={"after": after}))
        await asyncio.sleep(0.1)
        denied.write_text("default/gateway\n")
        await revoke(inside, token)
        answered = await waiting
    assert (answered.status_code, answered.json()["error"]) == (401, "invalid_client")
    assert name not in answered.text


async def test_sessions_of_others_are_not_told(
    inside: Inside, clock: Clock, authority: WorkloadAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation_feed, "LONGEST_WAIT", 0.0)
    token, name = await session_of(inside)
    after = str(clock() - 1)
    await revoke(inside, token)
    for other in ("default/mcpserver/gatewa", "default/mcpserver/gateway-2", "evil/mcpserver/gateway"):
        leaf = authority.issue(f"spiffe://{DOMAIN}/ns/{other}", begins=EARLY, ends=LATE)
        async with inside.workload(leaf) as http:
            assert (await http.get(FEED, params={"after": after})).json()["ended"] == []
    async with inside.workload() as http:
        assert (await http.get(FEED, params={"after": after})).json()["ended"] == [name]


async def test_who_was_away_too_long_lets_everything_go(inside: Inside, clock: Clock) -> None:
    async with inside.workload() as http:
        after = (await http.get(FEED)).json()["next"]
        clock.advance(25 * 3600)
        assert (await http.get(FEED, params={"after": after})).json()["reset"] is True


@pytest.mark.parametrize("after", ["soon", "nan", "inf", "1e400", "--1"])
async def test_a_cursor_that_is_none_is_refused(inside: Inside, after: str) -> None:
    async with inside.workload() as http:
        answered = await http.get(FEED, params={"after": after})
    assert (answered.status_code, answered.json()["error"]) == (400, "invalid_request")


async def test_one_workload_cannot_wait_without_end(inside: Inside, clock: Clock) -> None:
    """Connections that wait are few for each owner."""
    async with inside.workload(timeout=30) as http:
        after = (await http.get(FEED)).json()["next"]
        clock.advance(1)
        waiting = [
            asyncio.create_task(http.get(FEED, params={"after": after}))
            for _ in range(revocation_feed.MOST_WAITING + 3)
        ]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.2)
        refused = [one.result().status_code for one in waiting if one.done()]
        assert refused == [429] * 3
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)
