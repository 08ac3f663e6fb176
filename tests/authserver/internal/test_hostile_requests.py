"""What a workload with a good certificate sends that is no request, and what it costs everybody else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.authserver.conftest import Clock, Start
from tests.authserver.internal.conftest import EARLY, GATEWAY, LATE, Inside, exchange_form, opened
from tests.peers.workload_authority import WorkloadAuthority

from ostiary.authserver.internal import token_exchange
from ostiary.authserver.server import authserver
from ostiary.oauth.client.token_exchange import TOKEN_TYPES
from ostiary.transport import handshakes

EXCHANGE = "/internal/token-exchange"
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def alices_token(inside: Inside) -> str:
    token: str = (await (await inside.world.person()).tokens())["access_token"]
    return token


async def test_a_parameter_that_stands_twice_is_refused(inside: Inside) -> None:
    """Whichever of them another parser would have read."""
    form = exchange_form(await alices_token(inside))
    async with inside.workload() as http:
        for name, value in form.items():
            body = f"{urlencode(form)}&{urlencode({name: value})}"
            answered = await http.post(EXCHANGE, content=body, headers=FORM)
            assert (answered.status_code, answered.json()["error"]) == (400, "invalid_request"), name


async def test_a_form_is_read_from_a_form_s_body_alone(inside: Inside) -> None:
    """Not from the query, where logs would have the token; nor from JSON, or a body that says nothing."""
    form = exchange_form(await alices_token(inside))
    async with inside.workload() as http:
        answers = [
            await http.post(f"{EXCHANGE}?{urlencode(form)}", content=b"", headers=FORM),
            await http.post(EXCHANGE, json=form),
            await http.post(EXCHANGE, content=urlencode(form)),
            await http.post(
                EXCHANGE, content=urlencode(form), headers={"content-type": "multipart/form-data"}
            ),
        ]
        got = await http.get(EXCHANGE, params=form)
    assert [(one.status_code, one.json()["error"]) for one in answers] == [(400, "invalid_request")] * 4
    assert got.status_code in {404, 405}


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_token": "a" * 20_000},
        {"subject_token": "." * 15_000},
        {"subject_token_type": TOKEN_TYPES["refresh_token"]},
        {"requested_token_type": TOKEN_TYPES["refresh_token"]},
        {"audience": "h" * 2001},
        {"resource": "r" * 2001},
        {"actor_token": "a", "actor_token_type": TOKEN_TYPES["access_token"]},
        {"scope": "\x7f"},
        {"scope": 'repo "all"'},
        {"rejected_token_hash": "ä" * 43},
    ],
    ids="+".join,
)
async def test_what_is_no_request_for_a_token_gets_none(inside: Inside, changes: dict[str, str]) -> None:
    form = exchange_form(await alices_token(inside)) | changes
    async with inside.workload() as http:
        answered = await http.post(EXCHANGE, data=form)
    assert (answered.status_code, answered.json()["error"]) in {
        (400, "invalid_request"),
        (400, "invalid_scope"),
    }


async def begun(inside: Inside, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection of the gateway's on which so much was sent, and nothing more."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", inside.port, ssl=inside.context(inside.gateway)
    )
    writer.write(sent)
    await writer.drain()
    return reader, writer


def head(inside: Inside, *lines: str) -> bytes:
    said = ["POST /internal/token-exchange HTTP/1.1", f"host: 127.0.0.1:{inside.port}", *lines, "", ""]
    return "\r\n".join(said).encode()


@pytest.mark.parametrize("framing", ["content-length: 1000000000", "transfer-encoding: chunked"])
async def test_a_body_without_an_end_is_not_read(inside: Inside, framing: str) -> None:
    reader, writer = await begun(inside, head(inside, framing))
    answer = asyncio.create_task(reader.readline())
    for _ in range(1000):
        if answer.done():
            break
        writer.write(b"1000\r\n" + b"a" * 0x1000 + b"\r\n")
        await asyncio.sleep(0.001)
    assert (await answer).startswith(b"HTTP/1.1 413 ")
    writer.close()


@pytest.mark.parametrize("part", ["nothing", "half a head", "half a body"])
async def test_one_workload_s_connections_keep_no_other_out(
    start: Start,
    clock: Clock,
    authority: WorkloadAuthority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
) -> None:
    """As many as there may be, each of which says no more."""
    monkeypatch.setattr(authserver, "MTLS_LIMITS", replace(authserver.MTLS_LIMITS, connections=20))
    async with opened(start, clock, authority, tmp_path) as inside:
        whole = head(inside, "content-type: application/x-www-form-urlencoded", "content-length: 1000")
        sent = {"nothing": b"", "half a head": whole[:-10], "half a body": whole + b"grant_type="}[part]
        token = await alices_token(inside)
        kept = [await begun(inside, sent) for _ in range(30)]
        async with asyncio.timeout(5):
            assert (await inside.exchange(token)).status_code == 200
        for _, writer in kept:
            writer.close()


async def test_a_workload_whose_provider_is_slow_has_so_many_exchanges_under_way_and_no_more(
    start: Start, clock: Clock, authority: WorkloadAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And others are served meanwhile."""
    monkeypatch.setattr(token_exchange, "MOST_UNDER_WAY", 3)
    async with opened(start, clock, authority, tmp_path) as inside:
        token, hub = await alices_token(inside), inside.world.hub
        clock.advance(290)
        hub.pauses = 2.0
        waiting = [asyncio.create_task(inside.exchange(token)) for _ in range(5)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        other = authority.issue(GATEWAY.replace("gateway", "other"), begins=EARLY, ends=LATE)
        strangers = await inside.exchange(token, other)
        answered = sorted(one.status_code for one in await asyncio.gather(*waiting))
    assert (strangers.status_code, answered) == (400, [200, 200, 200, 429, 429])


async def test_handshakes_that_never_end_keep_no_workload_out(inside: Inside) -> None:
    """Nor do they touch the public port."""
    token = await alices_token(inside)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(handshakes.MOST_HANDSHAKES + 20):
            dangling = stack.enter_context(socket.socket())
            dangling.setblocking(False)
            await asyncio.get_running_loop().sock_connect(dangling, ("127.0.0.1", inside.port))
        assert (await inside.exchange(token)).status_code == 200
        server = inside.world.server
        keys = await server.http.get(server.issuer + "/.well-known/jwks.json")
        assert keys.status_code == 200
