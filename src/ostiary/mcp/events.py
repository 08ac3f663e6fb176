"""The messages of an event stream (WHATWG HTML, server-sent events).

A message is the data of an event of type `message`. All else that a stream says is between the server and
us: ids, reconnection times and events of other types end here, a comment is no more than a sign of life.
"""

from __future__ import annotations

KEEP_ALIVE = b""
"""What stands for comments among messages, none of which is empty."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MESSAGE_TYPES = frozenset({b"", b"message"})


class EventTooLong(Exception):
    """An event is longer than is held."""


class EventReader:
    """Reads a byte stream into messages. However it is cut, each byte is looked at once."""

    def __init__(self, max_bytes: int) -> None:
        """max_bytes: the longest data of an event, and the longest line of anything but comments."""
        self._max_bytes = max_bytes
        self._start: bytes | None = b""
        self._after_cr = False
        self._line = bytearray()
        self._data = bytearray()
        self._type = b""

    @property
    def held(self) -> int:
        """How much there is of an event that has not ended."""
        return len(self._line) + len(self._data)

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
        return None

    def _end_event(self) -> bytes | None:
        data, self._data = self._data, bytearray()
        kind, self._type = self._type, b""
        if len(data) <= len(b"\n") or kind not in _MESSAGE_TYPES:
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
