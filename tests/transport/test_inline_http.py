"""Calls on one connection: answered in their order, and cancelled when nobody waits any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.transport.conftest import HOST, call, get

from ostiary.transport.limits import Limits

if TYPE_CHECKING:
    from tests.transport.conftest import Behind, Connect, StartListener


async def test_a_call_is_answered(connect: Connect) -> None:
    client = await connect()
    await client.send(call("one"))
    assert await client.answer() == "200 one"


async def test_a_connection_serves_calls_and_pages_in_turn(connect: Connect) -> None:
    client = await connect()
    for sent, answered in ((call("a"), "200 a"), (get("/page"), "200 /page 0"), (call("b"), "200 b")):
        await client.send(sent)
        assert await client.answer() == answered


async def test_a_document_is_answered_like_a_call(connect: Connect) -> None:
    client = await connect()
    await client.send(get("/document"), call("a"), get("/document?version=2"))
    assert [await client.answer() for _ in range(3)] == ["200 ", "200 a", "200 "]


async def test_only_its_own_method_reaches_a_door(connect: Connect) -> None:
    client = await connect()
    for sent, answered in (
        (get("/call"), "200 /call 0"),
        (call("x").replace("/call", "/document"), "200 /document 1"),
        (get("/call").replace("GET", "DELETE"), "200 DELETE"),
        (get("/call").replace("GET", "PUT"), "200 /call 0"),
    ):
        await client.send(sent)
        assert await client.answer() == answered


async def test_a_call_may_come_byte_by_byte(connect: Connect) -> None:
    client = await connect()
    for byte in call("slow and whole").encode():
        await client.send(bytes([byte]))
        await asyncio.sleep(0)
    assert await client.answer() == "200 slow and whole"


async def test_a_chunked_call_is_read_whole(connect: Connect) -> None:
    client = await connect()
    head = f"POST /call HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n"
    await client.send(head, "3\r\nabc\r\n", "4;x=1\r\ndefg\r\n", "0\r\nTrailer: 1\r\n\r\n", call("next"))
    assert [await client.answer(), await client.answer()] == ["200 abcdefg", "200 next"]


async def test_a_big_call_is_read_whole(connect: Connect) -> None:
    client = await connect()
    body = "x" * 4_194_304
    await client.send(call(body))
    assert await client.answer() == f"200 {body}"


async def test_pipelined_calls_are_answered_in_their_order(connect: Connect, behind: Behind) -> None:
    client = await connect()
    await client.send(call("wait"), *(call(f"{number}") for number in range(100)))
    await asyncio.sleep(0.05)
    assert behind.seen == ["wait"]
    behind.let_go.set()
    assert [await client.answer() for _ in range(101)] == ["200 wait", *(f"200 {n}" for n in range(100))]


async def test_a_flood_of_pipelined_calls_behind_a_slow_one_is_answered(
    connect: Connect, behind: Behind
) -> None:
    client = await connect()
    await client.send(call("wait"), *(call("x") for _ in range(2000)))
    await asyncio.sleep(0.05)
    behind.let_go.set()
    assert {await client.answer() for _ in range(2001)} == {"200 wait", "200 x"}


async def test_a_call_in_a_big_packet_with_half_of_the_next_one(connect: Connect) -> None:
    client = await connect()
    body = "x" * 40_000
    second = call("second")
    await client.send(call(body) + second[:30])
    assert await client.answer() == f"200 {body}"
    await client.send(second[30:])
    assert await client.answer() == "200 second"


async def test_a_page_pipelined_behind_a_call_is_not_answered_and_the_call_is(
    connect: Connect, behind: Behind
) -> None:
    client = await connect()
    await client.send(call("wait"), get("/page"))
    await asyncio.sleep(0.02)
    behind.let_go.set()
    assert await client.answer() == "200 wait"
    assert await client.rest() == b""
    assert behind.seen == ["wait"]


@pytest.mark.parametrize(
    "what", [call("x"), "\0\r\n\r\n", "GET /page HTTP/1.1\r\nHost: evil.example.com\r\n\r\n"]
)
async def test_what_is_refused_behind_a_page_is_not_told_in_its_place(
    connect: Connect, behind: Behind, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """An answer is to the request whose turn it is; what cannot be sent fills no log."""
    client = await connect()
    await client.send(get("/wait"), what)
    await asyncio.sleep(0.05)
    behind.let_go.set()
    assert await client.answer() == "200 /wait 0"
    assert await client.rest() == b""
    assert behind.seen == ["/wait"]
    assert caplog.records == []


async def test_a_page_refused_behind_a_page_is_told_in_its_turn(connect: Connect, behind: Behind) -> None:
    client = await connect()
    await client.send(get("/wait"), get("/page", "Transfer-Encoding: chunked"), "nonsense\r\n")
    await asyncio.sleep(0.05)
    behind.let_go.set()
    assert await client.answer() == "200 /wait 0"
    assert await client.answer() == "400 this is not a well-formed HTTP request\n"
    assert await client.rest() == b""


async def test_a_page_whose_own_body_is_refused_fills_no_log(
    connect: Connect, behind: Behind, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect()
    await client.send(get("/unread", "Transfer-Encoding: chunked"), "nonsense\r\n")
    assert await client.answer() == "400 this is not a well-formed HTTP request\n"
    behind.let_go.set()
    assert await client.rest() == b""
    assert caplog.records == []


@pytest.mark.parametrize("request_line", ["POST /call HTTP/1.0", "POST /call HTTP/1.1"])
async def test_a_connection_closes_when_the_caller_wants_it(connect: Connect, request_line: str) -> None:
    head = f"{request_line}\r\nHost: {HOST}\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
    told = await connect.told(head)
    assert told == (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n"
        b"connection: close\r\n\r\nx"
    )


async def test_http_1_0_closes_by_itself(connect: Connect) -> None:
    told = await connect.told(f"POST /call HTTP/1.0\r\nHost: {HOST}\r\nContent-Length: 1\r\n\r\nx")
    assert told.endswith(b"connection: close\r\n\r\nx")


async def test_a_caller_who_asks_before_sending_is_told_to_go_on(connect: Connect) -> None:
    client = await connect()
    head, _, body = call("body", "Expect: 100-continue").partition("\r\n\r\n")
    await client.send(head, "\r\n\r\n")
    assert await client.answer() == "100 "
    await client.send(body)
    assert await client.answer() == "200 body"


async def test_a_caller_who_asks_before_sending_too_much_is_refused(start_listener: StartListener) -> None:
    connect = await start_listener(Limits(body_bytes=10))
    told = await connect.told(call("x" * 11, "Expect: 100-continue").partition("\r\n\r\n")[0] + "\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 413 ")


async def test_a_client_library_sees_why_its_long_body_is_refused(start_listener: StartListener) -> None:
    connect = await start_listener(Limits(body_bytes=1000))
    url = "http://127.0.0.1:{}/call".format((await connect()).writer.get_extra_info("peername")[1])
    async with httpx2.AsyncClient(trust_env=False) as http:
        for _ in range(10):
            refused = await http.post(url, content=b"x" * 8_000_000, headers={"host": HOST})
            assert refused.status_code == 413


async def test_a_caller_who_leaves_cancels_the_call(connect: Connect, behind: Behind) -> None:
    client = await connect()
    await client.send(call("wait"))
    await asyncio.sleep(0.02)
    client.writer.close()
    await asyncio.wait_for(behind.cancelled.wait(), 5)


async def test_a_caller_who_leaves_ends_the_stream(connect: Connect, behind: Behind) -> None:
    client = await connect()
    await client.send(call("stream"))
    assert await client.reader.readuntil(b"first\r\n")
    client.writer.close()
    await asyncio.wait_for(behind.cancelled.wait(), 5)


async def test_a_stream_goes_out_as_it_is_made_and_the_connection_stays(
    connect: Connect, behind: Behind
) -> None:
    client = await connect()
    await client.send(call("stream"), call("next"))
    async with asyncio.timeout(5):
        begun = await client.reader.readuntil(b"first\r\n")
        behind.let_go.set()
        ended = await client.reader.readuntil(b"0\r\n\r\n")
    assert begun == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        b"5\r\nfirst\r\n"
    )
    assert ended == b"4\r\nlast\r\n0\r\n\r\n"
    assert await client.answer() == "200 next"


@pytest.mark.parametrize("body", ["x", "x" * 5000, "x" * 100_000])
async def test_an_idle_connection_is_closed(start_listener: StartListener, body: str) -> None:
    connect = await start_listener(Limits(idle_timeout=0.1))
    client = await connect()
    await client.send(call(body))
    assert await client.answer() == f"200 {body}"
    assert await client.rest() == b""


async def test_a_connection_that_idles_after_a_page_is_closed(start_listener: StartListener) -> None:
    connect = await start_listener(Limits(idle_timeout=0.1))
    client = await connect()
    await client.send(get("/page"))
    assert await client.answer() == "200 /page 0"
    assert await client.rest() == b""


async def test_a_call_read_with_the_page_before_it_is_not_idling(
    start_listener: StartListener, behind: Behind
) -> None:
    connect = await start_listener(Limits(idle_timeout=1))
    client = await connect()
    page = get("/page", f"X: {'x' * 4000}")
    await client.send(get("/page", f"X: {'x' * (4000 + 4096 - len(page))}") + call("wait"))
    assert await client.answer() == "200 /page 0"
    await asyncio.sleep(1.5)
    behind.let_go.set()
    assert await client.answer() == "200 wait"


async def test_waiting_for_an_answer_is_not_idling(start_listener: StartListener, behind: Behind) -> None:
    connect = await start_listener(Limits(idle_timeout=0.1, head_timeout=0.1, body_timeout=0.1))
    client = await connect()
    await client.send(call("wait"))
    await asyncio.sleep(1.2)  # the listener looks once a second
    behind.let_go.set()
    assert await client.answer() == "200 wait"


async def test_a_call_whose_door_breaks_is_answered_without_a_word_of_why(connect: Connect) -> None:
    client = await connect()
    body = b"\xff"  # this door decodes what it gets
    await client.send(f"POST /call HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1\r\n\r\n", body)
    assert await client.answer() == "500 something broke in the server; its log says what\n"


async def test_an_answer_without_an_end_is_ended_by_a_listener_that_stops(
    start_listener: StartListener, behind: Behind
) -> None:
    connect = await start_listener()
    client = await connect()
    await client.send(get("/standing"))
    assert b"begun" in await client.reader.readuntil(b"begun\r\n")
    await start_listener.listening.aclose()
    assert await client.reader.read() == b"0\r\n\r\n"
    assert behind.closed.is_set()
