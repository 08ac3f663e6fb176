"""The events of a stream: WHATWG HTML, server-sent events."""

from __future__ import annotations

import pytest

from ostiary.mcp.events import EventReader, EventTooLong, event_data, write_event

STREAM = b": hello\n\ndata: one\n\nevent: message\nid: 7\ndata: two\ndata:lines\n\ndata\n\n"
LINE_ENDS = (b"\n", b"\r\n", b"\r")
MEANT = [None, b"one", b"two\nlines", b""]


@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_every_split_of_a_stream_gives_the_same_events(line_end: bytes) -> None:
    stream = STREAM.replace(b"\n", line_end)
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1):
            reader = EventReader(1000)
            chunks = (stream[:first], stream[first:second], stream[second:])
            events = [event for chunk in chunks for event in reader.feed(chunk)]
            assert b"".join(events) == stream
            assert [event_data(event) for event in events] == MEANT


@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_a_stream_may_come_byte_by_byte(line_end: bytes) -> None:
    stream = STREAM.replace(b"\n", line_end)
    reader = EventReader(1000)
    events = [event for place in range(len(stream)) for event in reader.feed(stream[place : place + 1])]
    assert [event_data(event) for event in events] == MEANT


@pytest.mark.parametrize("blank_line", [b"\r\n\n", b"\n\r\n", b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_line_ends_may_be_mixed(blank_line: bytes) -> None:
    reader = EventReader(1000)
    events = reader.feed(b"data: a" + blank_line + b"data: b" + blank_line)
    assert [event_data(event) for event in events] == [b"a", b"b"]


def test_an_event_that_does_not_end_is_given_up() -> None:
    reader = EventReader(100)
    reader.feed(b"data: " + b"x" * 90)
    with pytest.raises(EventTooLong):
        reader.feed(b"x" * 5)


def test_many_short_events_are_no_long_one() -> None:
    assert len(EventReader(20).feed(b"data: x\n\n" * 1000)) == 1000


def test_only_one_space_after_the_colon_is_taken_off() -> None:
    assert event_data(b"data:  two\n\n") == b" two"


def test_an_event_is_written_as_it_is_read() -> None:
    assert write_event(b'{"a":1}') == b'event: message\ndata: {"a":1}\n\n'
    assert event_data(write_event(b'{"a":1}')) == b'{"a":1}'
