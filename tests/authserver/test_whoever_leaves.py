"""Whoever goes away before the answer: what has begun goes on to its end."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

from tests.authserver.agreed import events, give_code, redemption, refresh, renewal, settings, sign_in
from tests.authserver.conftest import Clock, Server, Start

from ostiary.inline_coroutines import InlineFuture, as_future
from ostiary.transport.inline_http import Request


async def ask_and_leave(server: Server, path: str, form: dict[str, str]) -> None:
    """Ask, and go away as soon as something is waited for; return when nothing of it goes on."""
    (listener,) = server.server.listeners()
    assert listener.doors is not None
    door = listener.doors[b"POST"][path.encode()]
    headers = {b"content-type": b"application/x-www-form-urlencoded"}
    request = Request(door, headers, frozenset(), keep_alive=True, arriving=InlineFuture)
    request.body, request.peer = urlencode(form).encode(), "127.0.0.1"
    before = asyncio.all_tasks()
    answer = as_future(door(request))
    begun = asyncio.all_tasks() - before
    assert answer.cancel()
    await asyncio.wait(begun)


async def test_a_spent_code_shown_by_whoever_leaves_ends_its_session(start: Start) -> None:
    async with start(settings()) as server:
        code = await give_code(server)
        assert (await server.token(redemption(code))).status_code == 200
        await ask_and_leave(server, "/oauth/token", redemption(code))
        assert [event["reason"] for event in events(server, "session_ended")] == ["code_reused"]


async def test_a_spent_refresh_token_shown_by_whoever_leaves_ends_its_session(
    start: Start, clock: Clock
) -> None:
    async with start(settings()) as server:
        stolen = (await sign_in(server))["refresh_token"]
        await refresh(server, stolen)
        clock.advance(10)
        await ask_and_leave(server, "/oauth/token", renewal(stolen))
        assert [event["reason"] for event in events(server, "session_ended")] == ["refresh_reused"]


async def test_a_token_given_back_by_whoever_leaves_is_revoked(start: Start) -> None:
    async with start(settings()) as server:
        for kind in ("refresh_token", "access_token"):
            token = (await sign_in(server))[kind]
            await ask_and_leave(server, "/oauth/revoke", {"token": token, "client_id": "app"})
        assert [event["reason"] for event in events(server, "session_ended")] == ["revoked", "revoked"]
        assert len(events(server, "token_revoked")) == 2


async def test_whoever_leaves_before_the_answer_is_in_the_audit(start: Start) -> None:
    """By then a session may have begun that nobody has a token of."""
    async with start(settings()) as server:
        code = await give_code(server)
        await ask_and_leave(server, "/oauth/token", redemption(code))
        (event,) = events(server, "token_unanswered")
        assert (event["client"], event["grant"], event["address"]) == (
            "app",
            "authorization_code",
            "127.0.0.1",
        )
        assert events(server, "token_issued") == events(server, "token_refused") == []
        assert (await server.token(redemption(code))).status_code == 400
