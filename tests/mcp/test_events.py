"""The messages of an event stream: WHATWG HTML, server-sent events."""

from __future__ import annotations

import tracemalloc

import pytest

from ostiary.mcp.events import KEEP_ALIVE, EventReader, EventTooLong, write_event

STREAM = (
    b": hello\n\ndata: one\n\nevent: message\nid: 7\nretry: 1\ndata: two\ndata:lines\n\n"
    b"event: x\ndata: no\n\ndata:  3\n\n"
)
LINE_ENDS = (b"\n", b"\r\n", b"\r")
MEANT = [KEEP_ALIVE, b"one", b"two\nlines", b" 3"]


def read(*chunks: bytes, max_bytes: int = 1000) -> list[bytes]:
    reader = EventReader(max_bytes)
    return [message for chunk in chunks for message in reader.feed(chunk)]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_every_split_of_a_stream_gives_the_same_messages(line_end: bytes, mark: bytes) -> None:
    stream = mark + STREAM.replace(b"\n", line_end)
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1):
            assert read(stream[:first], stream[first:second], stream[second:]) == MEANT


@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_a_stream_may_come_byte_by_byte(line_end: bytes) -> None:
    stream = STREAM.replace(b"\n", line_end)
    assert read(*(stream[place : place + 1] for place in range(len(stream)))) == MEANT


@pytest.mark.parametrize("blank_line", [b"\r\n\n", b"\n\r\n", b"\n\n", b"\r\n\r\n", b"\r\r", b"\r\r\n"])
def test_line_ends_may_be_mixed(blank_line: bytes) -> None:
    assert read(b"data: a" + blank_line + b"data: b" + blank_line) == [b"a", b"b"]


def test_a_message_ends_with_the_cr_of_its_blank_line() -> None:
    assert read(b"data: a\r\n\r") == [b"a"]
    assert read(b"data: a\r\n\r", b"\ndata: b\r\n\r\n") == [b"a", b"b"]


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data:a\ndata\ndata: b\n\n", [b"a\n\nb"]),
        (b"data:  two\n\n", [b" two"]),
        (b"data: a: b\n\n", [b"a: b"]),
        (b"id: 1\ndata: a\nretry: 10\nx\ny: z\n\n", [b"a"]),
        (b" data: a\n\n", []),
        (b"Data: a\ndatas: b\n\n", []),
        (b"event: message\ndata: a\n\n", [b"a"]),
        (b"event\ndata: a\n\n", [b"a"]),
        (b"event: x\nevent: message\ndata: a\n\n", [b"a"]),
        (b"event: endpoint\ndata: a\n\ndata: b\n\n", [b"b"]),
        (b"event: x\n\ndata: b\n\n", [b"b"]),
        (b"data: a\n:in between\ndata: b\n\n", [KEEP_ALIVE, b"a\nb"]),
        (b":\n:\n\n: three\n\n", [KEEP_ALIVE]),
        (b"data: a\n", []),
        (b"data: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
        (b"\xef\xbbdata: b\n\n", []),
    ],
)
def test_fields_are_read_to_the_letter(stream: bytes, messages: list[bytes]) -> None:
    assert read(stream) == messages


@pytest.mark.parametrize("event", [b"id: 1\ndata: \n\n", b"id: 1\ndata\n\n", b"id: 1\n\n", b"retry: 5\n\n"])
def test_a_priming_event_is_no_message(event: bytes) -> None:
    assert read(event + b"data: a\n\n") == [b"a"]


def test_an_event_that_does_not_end_is_given_up() -> None:
    reader = EventReader(100)
    reader.feed(b"data: " + b"x" * 90)
    with pytest.raises(EventTooLong):
        reader.feed(b"x" * 5)


@pytest.mark.parametrize(
    "stream", [b"x" * 101, b"data: " + b"x" * 200 + b"\n\n", b"data:\n" * 101, b"data: 45678\n" * 20]
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_an_event_holds_is_bounded_however_it_comes(stream: bytes, size: int) -> None:
    with pytest.raises(EventTooLong):
        read(*(stream[at : at + size] for at in range(0, len(stream), size)), max_bytes=100)


def test_many_short_events_are_no_long_one() -> None:
    assert len(read(b"data: x\n\n" * 1000, max_bytes=20)) == 1000


@pytest.mark.parametrize(("beginning", "held"), [(b":", 0), (b"data: ", 4_000_000)])
def test_sse_comment_or_event_of_4_mb_followed_by_bytes_one_by_one_is_not_copied_for_each(
    beginning: bytes, held: int
) -> None:
    reader = EventReader(16 * 1024 * 1024)
    tracemalloc.start()
    try:
        reader.feed(beginning + b"x" * 4_000_000)
        reader.feed(b"x")
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(1000):
            assert reader.feed(b"x") == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert before < held * 1.2 + 1_000_000
    assert peak - before < 100_000
    assert len(reader.feed(b"\n\n")[0]) == (held + 1001 if held else 0)


def test_an_event_is_written_as_it_is_read() -> None:
    assert write_event(b'{"a":1}') == b'event: message\ndata: {"a":1}\n\n'
    assert read(write_event(b'{"a":1}')) == [b'{"a":1}']


def test_a_message_of_several_lines_is_written_as_one() -> None:
    assert write_event(b'{"a":\n1\r\n}') == b'event: message\ndata: {"a": 1  }\n\n'


def test_ids_and_times_are_kept_as_the_events_they_came_with_are_dispatched() -> None:
    reader = EventReader(1_000_000)
    assert reader.feed(b"id: 1\nretry: 3000\ndata: \n\n") == []
    assert (reader.last_event_id, reader.reconnection_time) == (b"1", 3000)
    assert reader.feed(b"id: 2\ndata: a\n") == []
    assert reader.last_event_id == b"1"
    odd = b"\nid: a\0b\nretry: 1s\nretry: " + b"9" * 900
    assert reader.feed(odd + b"\n\ndata: b\n\n") == [b"a", b"b"]
    assert (reader.last_event_id, reader.reconnection_time) == (b"2", 3000)
    assert reader.feed(b"id: " + b"x" * 900_000 + b"\n\n") == []
    assert reader.last_event_id == b"2"
    assert reader.feed(b"id\n\n") == []
    assert reader.last_event_id == b""
