"""The messages of an event stream (WHATWG HTML, server-sent events).

A message is the data of an event of type `message`; an event without data is none. All else that a stream
says is between the server and whoever reads it: ids and reconnection times are for who goes on reading later,
events of other types end here, a comment is no more than a sign of life.
"""

from __future__ import annotations

from collections.abc import Collection

KEEP_ALIVE = b""
"""What stands for comments among messages, none of which is empty."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONGEST_POSITION = 1024
"""The longest line with an id that is kept: a longer one could not be sent back in a header."""
_MOST_DIGITS = 9
_POSITIONS = (b"id", b"retry")
_MESSAGE_TYPES = frozenset({b"", b"message"})


class EventTooLong(Exception):
    """An event is longer than is held."""


class EventReader:
    """Reads a byte stream into messages. However it is cut, each byte is looked at once."""

    def __init__(self, max_bytes: int, types: Collection[bytes] = ()) -> None:
        """max_bytes: the longest data of an event, and the longest line of anything but comments.

        types: further ones whose events are messages.
        """
        self._max_bytes = max_bytes
        self._types = _MESSAGE_TYPES.union(types)
        self._start: bytes | None = b""
        self._after_cr = False
        self._line = bytearray()
        self._data = bytearray()
        self._type = b""
        self._id = b""
        self.last_event_id = b""
        """After which event a stream that breaks off goes on."""
        self.reconnection_time: int | None = None
        """Milliseconds to wait before that, as the server wishes."""

    @property
    def held(self) -> int:
        """How much there is of an event that has not ended."""
        return len(self._line) + len(self._data)

    def resumed(self) -> EventReader:
        """One that reads on where this one ended, from the start of another stream."""
        reader = EventReader(self._max_bytes)
        reader.last_event_id = reader._id = self.last_event_id
        reader.reconnection_time = self.reconnection_time
        return reader

    def feed(self, chunk: bytes) -> list[bytes]:
        """The messages that this chunk completes, with KEEP_ALIVE for comments. Raises EventTooLong."""
        if self._start is not None:
            chunk = self._without_mark(chunk)
        if not chunk:
            return []
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        *ended, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        messages: list[bytes] = []
        for line in ended:
            message = self._end_line(line)
            if message is not None and not (message == KEEP_ALIVE and messages[-1:] == [KEEP_ALIVE]):
                messages.append(message)
        self._line += rest
        if self._line.startswith(b":"):
            del self._line[1:]
        if self.held > self._max_bytes:
            raise EventTooLong
        return messages

    def _without_mark(self, chunk: bytes) -> bytes:
        """The stream without its byte order mark; nothing while there may be one."""
        start = (self._start or b"") + chunk
        if len(start) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(start):
            self._start = start
            return b""
        self._start = None
        return start.removeprefix(_BYTE_ORDER_MARK)

    def _end_line(self, end: bytes) -> bytes | None:
        if not self._line:
            return self._read_line(end) if end else self._end_event()
        line, self._line = self._line, bytearray()
        line += end
        return self._read_line(line)

    def _read_line(self, line: bytes | bytearray) -> bytes | None:
        if line.startswith(b":"):
            return KEEP_ALIVE
        if line.startswith(b"data:") or line == b"data":
            value = line if isinstance(line, bytearray) else bytearray(line)
            del value[: 6 if value[5:6] == b" " else 5]
            value += b"\n"
            self._data = _joined(self._data, value)
            if len(self._data) > self._max_bytes:
                raise EventTooLong
        elif line.startswith(b"event:") or line == b"event":
            self._type = bytes(line[6:]).removeprefix(b" ")
        elif line.startswith(_POSITIONS) and len(line) <= LONGEST_POSITION:
            self._read_position(bytes(line))
        return None

    def _read_position(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"id" and b"\0" not in value:
            self._id = value
        elif name == b"retry" and value.isdigit() and len(value) <= _MOST_DIGITS:
            self.reconnection_time = int(value)

    def _end_event(self) -> bytes | None:
        data, self._data = self._data, bytearray()
        kind, self._type = self._type, b""
        self.last_event_id = self._id
        if len(data) <= len(b"\n") or kind not in self._types:
            return None
        data.pop()
        return bytes(data)


def _joined(first: bytearray, second: bytearray) -> bytearray:
    if not first:
        return second  # most data is one line, which may be long
    first += second
    return first


def write_event(data: bytes) -> bytes:
    """The event of this message. Line breaks, which JSON has between tokens only, become spaces."""
    return b"event: message\ndata: %s\n\n" % data.replace(b"\n", b" ").replace(b"\r", b" ")
