"""A session that ended is served no more: told at once, or within 60 seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.captured_events import captured_events
from tests.credentials.upstream_token.conftest import Callers, sent
from tests.credentials.upstream_token.little_port import LittlePort, refusing

from ostiary.credentials.error import CallerNotEntitled, CredentialUnreachable
from ostiary.settings import read_duration

FEED = "ostiary.credentials.upstream_token.revocation_feed"
ENDED = refusing("invalid_grant", error_description="its session ended")


@pytest.fixture(autouse=True)
def _news_come_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{FEED}.MIN_BETWEEN", 0.01)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what another task brings about."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what it waits for knows of no event
            await asyncio.sleep(0.001)


async def test_revoked_session_stops_within_the_bound(callers: Callers, port: LittlePort) -> None:
    """Told by the feed it stops at once, whatever the clock says."""
    github = callers.attach()
    one, two = callers.request("one"), callers.request("two", subject="bob")
    assert [await sent(github, one), await sent(github, two)] == ["upstream-1", "upstream-2"]
    port.reply = ENDED
    port.end("one")
    await until(lambda: github.ready(one) is None)
    with pytest.raises(CallerNotEntitled):
        await sent(github, one)
    assert await sent(github, two) == "upstream-2"


async def test_revoked_session_stops_within_60_seconds_when_the_feed_is_not_heard(
    callers: Callers, port: LittlePort
) -> None:
    port.feed_status = 503
    github, call = callers.attach(), callers.request()
    assert await sent(github, call) == "upstream-1"
    port.reply = ENDED
    port.end("session-1")
    callers.clock.advance(59)
    assert await sent(github, call) == "upstream-1"
    callers.clock.advance(1.1)
    with pytest.raises(CallerNotEntitled):
        await sent(github, call)


async def test_revoked_session_stops_within_what_is_configured(callers: Callers, port: LittlePort) -> None:
    github, call = callers.attach(revocations=read_duration("20s")), callers.request()
    assert await sent(github, call) == "upstream-1"
    port.reply = ENDED
    callers.clock.advance(19)
    assert await sent(github, call) == "upstream-1"
    callers.clock.advance(1.1)
    with pytest.raises(CallerNotEntitled):
        await sent(github, call)
    assert port.asked_after == []


async def test_while_the_feed_is_heard_nobody_asks_again(callers: Callers, port: LittlePort) -> None:
    github, call = callers.attach(), callers.request()
    await sent(github, call)
    for number in range(4):
        callers.clock.advance(50)
        port.end(f"of-somebody-else-{number}")
        await until(lambda: port.is_heard)
        assert await sent(github, call) == "upstream-1"
    assert len(port.forms) == 1


async def test_an_answer_that_was_long_under_way_is_no_news(callers: Callers, port: LittlePort) -> None:
    """Whoever can hold answers back wins nothing: what counts is when the question was asked."""
    github, call = callers.attach(), callers.request()
    await sent(github, call)
    await until(lambda: port.is_heard)
    callers.clock.advance(61)
    port.end("of-somebody-else")
    await until(lambda: port.is_heard)
    port.reply = ENDED
    with pytest.raises(CallerNotEntitled):
        await sent(github, call)


async def test_a_reset_leaves_nothing_that_was_kept(callers: Callers, port: LittlePort) -> None:
    github, call = callers.attach(), callers.request()
    await sent(github, call)
    await until(lambda: port.is_heard)
    port.reset = True
    port.end()
    await until(lambda: github.ready(call) is None)
    assert await sent(github, call) == "upstream-2"


async def test_an_end_that_is_told_while_the_token_is_under_way_is_not_missed(
    callers: Callers, port: LittlePort
) -> None:
    github, call = callers.attach(), callers.request()
    await sent(github, callers.request("another", subject="bob"))
    port.hold = asyncio.Event()
    asking = asyncio.ensure_future(sent(github, call))
    await until(lambda: len(port.forms) == 2)
    port.end("session-1")
    await until(lambda: port.is_heard)
    port.hold.set()
    assert await asking == "upstream-3"


async def test_an_end_that_is_told_twice_costs_one_more_question(callers: Callers, port: LittlePort) -> None:
    github, call = callers.attach(), callers.request()
    await sent(github, call)
    for number in (2, 3):
        port.end("session-1")
        await until(lambda: port.is_heard)
        assert await sent(github, call) == f"upstream-{number}"


async def test_a_program_without_a_session_is_asked_for_again_within_the_bound(
    callers: Callers, port: LittlePort
) -> None:
    """No feed tells of those: so nothing that it says makes their tokens good for longer."""
    github, call = callers.attach(), callers.request(None, act={"sub": "nightly"})
    assert await sent(github, call) == "upstream-1"
    await sent(github, callers.request())
    port.reply = ENDED
    callers.clock.advance(61)
    with pytest.raises(CallerNotEntitled):
        await sent(github, call)


async def test_a_clock_that_is_moved_back_makes_no_token_good_for_longer(
    callers: Callers, port: LittlePort
) -> None:
    github, call = callers.attach(), callers.request()
    await sent(github, call)
    callers.clock.advance(-3600)
    assert github.ready(call) is None


async def test_a_feed_that_is_lost_and_found_is_two_lines_of_the_log(
    callers: Callers, port: LittlePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{FEED}.FIRST_PAUSE", 0.01)
    port.feed_status = 503
    with captured_events() as logs:
        await sent(callers.attach(), callers.request())
        await until(lambda: len(port.asked_after) >= 4)
        port.feed_status = 200
        await until(lambda: any(line["event"] == "revocations_heard" for line in logs))
    url = port.token_url.replace("token-exchange", "revocations")
    assert logs == [
        {"event": "revocations_unheard", "reason": f"{url}: it answered 503", "log_level": "warning"},
        {"event": "revocations_heard", "feed": url, "log_level": "info"},
    ]


async def test_the_feed_is_asked_no_oftener_than_that(
    callers: Callers, port: LittlePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{FEED}.MIN_BETWEEN", 0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await sent(callers.attach(), callers.request())
    for number in range(6):
        port.end(f"of-somebody-{number}")
        await until(lambda: port.is_heard)
    assert loop.time() - began > 0.3


async def test_where_nobody_calls_nobody_listens_until_somebody_calls_again(
    callers: Callers, port: LittlePort
) -> None:
    def listens() -> bool:
        return any("RevocationFeed._listen" in repr(task.get_coro()) for task in asyncio.all_tasks())

    github, call = callers.attach(), callers.request()
    await sent(github, call)
    await until(lambda: port.is_heard)
    callers.clock.advance(301)
    port.end("of-somebody-else")
    await until(lambda: not listens())
    assert not port.is_heard
    assert await sent(github, call) == "upstream-2"
    await until(lambda: port.is_heard)


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        '{"next": 1}',
        '{"next": "a b"}',
        '{"next": "1", "ended": ["session-1"]}',
        '{"next": "1", "ended": "' + "a" * 64 + '"}',
        "[" * 100_000,
    ],
)
async def test_a_feed_that_says_nothing_readable_is_not_heard(
    callers: Callers, port: LittlePort, body: str
) -> None:
    port.feed_body = body
    github, call = callers.attach(), callers.request()
    await sent(github, call)
    callers.clock.advance(61)
    assert github.ready(call) is None


async def test_a_cursor_that_the_feed_takes_no_more_is_not_shown_for_ever(
    callers: Callers, port: LittlePort
) -> None:
    """Once it gave nonsense, or is of another version now: then all is let go, and it is heard again."""
    github, call = callers.attach(), callers.request()
    await sent(github, call)
    await until(lambda: port.is_heard)
    port.feed_status = 400
    port.end("session-1")
    await until(lambda: port.asked_after[-1:] == [None])
    port.feed_status = 200
    await until(lambda: port.is_heard)
    assert await sent(github, call) == "upstream-2"


async def test_without_the_server_what_is_kept_is_good_until_the_bound(
    callers: Callers, port: LittlePort
) -> None:
    github, call = callers.attach(), callers.request()
    await sent(github, call)
    await until(lambda: port.is_heard)
    await port.stop()
    callers.clock.advance(59)
    assert await sent(github, call) == "upstream-1"
    callers.clock.advance(2)
    with pytest.raises(CredentialUnreachable) as away:
        await sent(github, call)
    assert away.value.retry_after is not None
