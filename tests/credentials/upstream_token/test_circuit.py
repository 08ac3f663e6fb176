"""A server that is away is left in peace, and is not run over when it is back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
from tests.clock import Clock
from tests.credentials.upstream_token.conftest import Callers, sent
from tests.credentials.upstream_token.little_port import LittlePort, refusing
from tests.credentials.upstream_token.test_revocation_feed import until

from ostiary.credentials.error import CredentialError, CredentialUnreachable
from ostiary.credentials.upstream_token import circuit
from ostiary.credentials.upstream_token.circuit import Circuit, CircuitOpen
from ostiary.credentials.upstream_token.internal_port import CONNECTING, EXCHANGING, MOST_AT_ONCE
from ostiary.oauth.canonical_url import canonical_url
from ostiary.settings import read_duration


class Away(Exception):
    """It does not answer."""


class Server:
    """Counts who asks it."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = True

    async def ask(self) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise Away
        return "here"


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def way(clock: Clock) -> Circuit:
    return Circuit(clock, failure=Away)


async def asks(way: Circuit, server: Server, times: int = 1) -> list[str]:
    """How it went for so many at once."""
    answers = await asyncio.gather(*(way.run(server.ask) for _ in range(times)), return_exceptions=True)
    return [answer if isinstance(answer, str) else type(answer).__name__ for answer in answers]


async def test_after_two_failures_nobody_asks_until_the_pause_is_over(
    clock: Clock, way: Circuit, server: Server
) -> None:
    assert [await asks(way, server) for _ in range(4)] == [
        ["Away"],
        ["Away"],
        ["CircuitOpen"],
        ["CircuitOpen"],
    ]
    clock.advance(1)
    assert await asks(way, server) == ["Away"]
    assert server.asked == 3


async def test_the_pause_doubles_and_has_an_end(clock: Clock, way: Circuit, server: Server) -> None:
    await asks(way, server, 2)
    pauses = []
    for _ in range(8):
        with pytest.raises(CircuitOpen) as is_open:
            await way.run(server.ask)
        pauses.append(is_open.value.retry_after)
        clock.advance(is_open.value.retry_after)
        await asks(way, server)
    assert all(
        0.8 * most <= pause <= max(most, 1)
        for pause, most in zip(pauses, [1, 2, 4, 8, 16, 30, 30, 30], strict=True)
    ), pauses


async def test_a_clock_that_ran_ahead_for_a_moment_keeps_nobody_away(
    clock: Clock, way: Circuit, server: Server
) -> None:
    clock.advance(365 * 86400)
    await asks(way, server, 2)
    clock.advance(-365 * 86400)
    server.is_away = False
    assert await asks(way, server) == ["here"]


async def test_many_that_fail_together_are_one_failure_to_the_pause(
    clock: Clock, way: Circuit, server: Server
) -> None:
    await asks(way, server, 30)
    clock.advance(1)
    server.is_away = False
    assert await asks(way, server) == ["here"]


async def test_when_it_is_back_one_asks_and_the_others_wait_for_how_it_fares(
    clock: Clock, way: Circuit, server: Server
) -> None:
    await asks(way, server, 2)
    clock.advance(1)
    assert await asks(way, server, 20) == ["Away"] + ["CircuitOpen"] * 19
    assert server.asked == 3
    clock.advance(2)
    server.is_away = False
    assert await asks(way, server, 20) == ["here"] * 20


async def test_one_that_hangs_holds_nobody_up_for_long(
    clock: Clock, way: Circuit, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "PATIENCE", 0.01)
    await asks(way, server, 2)
    clock.advance(1)
    never = asyncio.Event()
    hanging = asyncio.ensure_future(way.run(never.wait))
    await asyncio.sleep(0)
    assert await asks(way, server) == ["CircuitOpen"]
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    server.is_away = False
    assert await asks(way, server) == ["here"], "the one that was cut off says nothing"


async def test_a_hundred_callers_of_a_server_that_is_away_and_comes_back_make_no_storm(
    callers: Callers, port: LittlePort
) -> None:
    """Counted on the wire: one asks, and when it is answered the others do, so many at once."""
    github = callers.attach(revocations=read_duration("60s"))
    calls = [callers.request(f"session-{n}", subject=f"person-{n}") for n in range(100)]

    async def outcome(call: Callable[[], object] | object) -> str:
        try:
            return await sent(github, call)  # type: ignore[arg-type]  # a request
        except CredentialError as error:
            return type(error).__name__

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*map(outcome, calls))

    await port.stop()
    for _ in range(3):
        assert await all_of_them() == ["CredentialUnreachable"] * 100
        callers.clock.advance(31)
    port.hold = asyncio.Event()
    await port.start()
    asking = asyncio.ensure_future(all_of_them())
    await until(lambda: len(port.forms) == 1)
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert len(port.forms) == 1
    port.hold.set()
    answers = await asking
    assert len(set(answers)) == 100
    assert all(answer.startswith("upstream-") for answer in answers)
    assert len(port.forms) == 100


async def test_so_many_at_once_and_no_more_and_a_slow_provider_holds_up_no_other(
    callers: Callers, port: LittlePort
) -> None:
    port.hold = asyncio.Event()
    github, corporate = callers.attach(), callers.attach(provider="corp", server="corporate")
    calls = [callers.request(f"session-{n}", subject=f"person-{n}") for n in range(40)]
    asking = [asyncio.ensure_future(sent(github, call)) for call in calls]
    await until(lambda: len(port.forms) == MOST_AT_ONCE)
    other = asyncio.ensure_future(sent(corporate, calls[0]))
    await until(lambda: len(port.forms) == MOST_AT_ONCE + 1)
    assert port.forms[-1]["audience"] == "corp"
    port.hold.set()
    await asyncio.gather(*asking, other)
    assert len(port.forms) == 41


async def test_a_server_that_is_slow_as_its_provider_is_waited_for(
    callers: Callers, port: LittlePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only who does not connect is away soon."""
    assert CONNECTING < 25 < EXCHANGING, "the server may wait 25 seconds for the provider and its store"
    monkeypatch.setattr("ostiary.credentials.upstream_token.internal_port.CONNECTING", 0.1)
    port.hold = asyncio.Event()
    asking = asyncio.ensure_future(sent(callers.attach(), callers.request()))
    await asyncio.sleep(0.3)
    assert not asking.done()
    port.hold.set()
    assert await asking == "upstream-1"


async def test_a_server_that_takes_no_connection_is_away_soon(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostiary.credentials.upstream_token.internal_port.CONNECTING", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        url = canonical_url(f"https://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(CredentialUnreachable) as away:
            await sent(callers.attach(token_url=url), callers.request())
    assert "no connection within 0.1 seconds" in str(away.value)


async def test_a_provider_that_is_away_for_one_caller_closes_nothing_to_others(
    callers: Callers, port: LittlePort
) -> None:
    """What the server answers, even if it is no, is an answer: nobody pays for another's account."""
    github = callers.attach()
    port.reply = refusing("temporarily_unavailable", 503)
    for number in range(5):
        with pytest.raises(CredentialUnreachable):
            await sent(github, callers.request(f"of-eve-{number}", subject="eve"))
    port.reply = port.numbered
    assert (await sent(github, callers.request("of-ada"))).startswith("upstream-")
