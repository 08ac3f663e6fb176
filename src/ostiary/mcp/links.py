"""Resource URIs inside results: on the federated endpoint they carry their server's scheme.

A tool may answer with a link to a resource, a prompt may embed one. The client would read it at the
endpoint it came from, so what goes out under one name must be asked for under the same.

A result is the server's, and may be long. It is read once, from its beginning to its end, in pieces between
which others can be served; what is no URI is copied as it stands, whatever it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from ostiary.mcp.errors import InvalidRequest
from ostiary.mcp.raw_object import Raw, read_string

MOST_LINKS = 50_000
"""Each makes the result longer, by the name of its server."""
MOST_STEPS = 500_000
"""What is looked at one by one: links, whatever stands around them, and deep nesting elsewhere."""
STEPS_AT_ONCE = 1_000
BYTES_AT_ONCE = 64 * 1024
"""Far longer than any key or URI."""

_HOLDERS = frozenset({b"content", b"contents", b"messages", b"resource"})
_KEYS = frozenset({b"uri", b"uriTemplate"})
_DEEPEST = 8
"""A prompt's messages → message → content → item → resource is the longest way to a URI."""
_ESCAPED_LETTERS = (b"\\u006", b"\\u007")

_TEXT = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_STRING = rb'"%s"' % _TEXT
_LEAVES = rb'[^"\[\]{}]*+(?:%s[^"\[\]{}]*+)*+' % _STRING
_FLAT = rb'[^"\[\]{}]*+(?:(?:%s|[\[{]%s[\]}])[^"\[\]{}]*+)*+' % (_STRING, _LEAVES)

# These read JSON that is well-formed, and stop where a piece of it ends.
_END_OF_STRING = re.compile(_TEXT, re.DOTALL)
_SKIPPED = re.compile(rb'[^"\[\]{}]*+(?:(?:%s|[\[{]%s[\]}])[^"\[\]{}]*+)*+' % (_STRING, _FLAT), re.DOTALL)
_SPACE = re.compile(rb"[ \t\n\r,]*+")
_KEY = re.compile(rb'"(%s)"[ \t\n\r]*+:[ \t\n\r]*+' % _TEXT, re.DOTALL)
_SCALAR = re.compile(rb'%s|[^ \t\n\r,\]}\["{]++' % _STRING, re.DOTALL)
_QUOTE, _OBJECT = ord('"'), ord("{")
_OPENING, _CLOSING = b"[{", b"]}"


def may_have_links(text: bytes) -> bool:
    """Whether a URI may be in this text, in whatever way its key is written."""
    if text.find(b'"uri') >= 0:  # `in` tries first whether what it looks for is a number, which takes longer
        return True
    return text.find(b"\\u") >= 0 and any(letter in text for letter in _ESCAPED_LETTERS)


def rename_links(result: Raw, rename: Callable[[str], str]) -> bytes:
    """The result with every resource URI of its content renamed. Raises InvalidRequest."""
    splice = LinkSplice(bytes(result), rename)
    while splice.goes_on():
        pass
    return bytes(splice.out)


class LinkSplice:
    """A result on its way from `text`, which is well-formed JSON, to `out`.

    inside: for each value around, whether it is an object; depth: how deep we are in a value that holds no
    links; in_string: whether we are in a string of it.
    """

    def __init__(self, text: bytes, rename: Callable[[str], str]) -> None:
        self.text = text
        self.rename = rename
        self.out = bytearray()
        self.at = self.copied = self.depth = self.steps = self.links = 0
        self.in_string = False
        self.inside: list[bool] = []
        self._match(_SPACE)
        self._read_value(may_hold_links=True)

    def goes_on(self) -> bool:
        """Do a piece of the work; whether there is more. Raises InvalidRequest."""
        if self.steps >= MOST_STEPS:
            raise InvalidRequest(f"links are looked for in no more than {MOST_STEPS} parts of a result")
        last_step, last_byte = self.steps + STEPS_AT_ONCE, self.at + BYTES_AT_ONCE
        while self.inside or self.depth or self.in_string:
            if self.steps >= last_step or self.at >= last_byte:
                return True
            self.steps += 1
            self._step()
        self.out += memoryview(self.text)[self.copied :]
        return False

    def _step(self) -> None:
        if self.in_string:
            self._match(_END_OF_STRING)
            if self._next() == _QUOTE:
                self.at, self.in_string = self.at + 1, False
        elif self.depth:
            self._match(_SKIPPED)
            self._enter_or_leave(self._next())
        else:
            self._match(_SPACE)
            self._read_next(self._next())

    def _enter_or_leave(self, first: int) -> None:
        if first == _QUOTE:  # a string that is longer than a piece
            self.in_string = True
        elif first in _OPENING:
            self.depth += 1
        elif first in _CLOSING:
            self.depth -= 1
        else:
            return
        self.at += 1

    def _read_next(self, first: int) -> None:
        if first in _CLOSING:
            self.at += 1
            self.inside.pop()
        elif not self.inside[-1]:
            self._read_value(may_hold_links=True)
        elif first == _QUOTE:
            self._read_member()

    def _read_member(self) -> None:
        key = self._found(_KEY, "a key")[1]
        if b"\\" in key:
            key = read_string(b'"%s"' % key, "a key").encode()
        if key in _KEYS:
            self._rename_uri()
        else:
            self._read_value(may_hold_links=key in _HOLDERS)

    def _read_value(self, *, may_hold_links: bool) -> None:
        first = self._next()
        if first in _OPENING:
            self.at += 1
            if may_hold_links and len(self.inside) < _DEEPEST:
                self.inside.append(first == _OBJECT)
            else:
                self.depth = 1
        elif first == _QUOTE:
            self.at, self.in_string = self.at + 1, True
        else:
            self._found(_SCALAR, "a number")

    def _rename_uri(self) -> None:
        self.links += 1
        if self.links > MOST_LINKS:
            raise InvalidRequest(f"it has more than {MOST_LINKS} links to resources")
        start = self.at
        uri = read_string(self._found(_SCALAR, "uri")[0], "uri")
        self.out += memoryview(self.text)[self.copied : start]
        self.out += msgspec.json.encode(self.rename(uri))
        self.copied = self.at

    def _next(self) -> int:
        return self.text[self.at] if self.at < len(self.text) else -1

    def _match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        match = pattern.match(self.text, self.at, self.at + BYTES_AT_ONCE)
        if match is not None:
            self.at = match.end()
        return match

    def _found(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        match = self._match(pattern)
        if match is None:
            raise InvalidRequest(f"{what} in it is of another type, or too long")
        return match
