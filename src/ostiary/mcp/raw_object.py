"""A JSON object whose members stay raw, each read once.

Parsers disagree on an object that has a key twice: some take the first, some the last. What we route
and authorize by must be what the server behind us reads, so such an object is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

import msgspec

from ostiary.mcp.errors import InvalidRequest, ParseError


class Raw(Protocol):
    """JSON as it was written: bytes, or a `msgspec.Raw`, which has theirs and is none."""

    def __len__(self) -> int: ...

    def __buffer__(self, flags: int, /) -> memoryview: ...


Members = dict[str, msgspec.Raw]

MOST_MEMBERS = 1000
"""Far more than any object has that is read here; each one costs a step of ours."""
LONG = 32 * 1024
"""Bytes of an object whose members are counted before they are read: a short one has not too many."""
_DECODER = msgspec.json.Decoder(Members)
_OPEN = re.compile(rb"[ \t\n\r]*\{[ \t\n\r]*")
_NAME = re.compile(rb'[ \t\n\r]*("(?:[^"\\]|\\.)*")[ \t\n\r]*:[ \t\n\r]*')
_NEXT = re.compile(rb"[ \t\n\r]*[,}]")


class RawObject:
    """A JSON object as it was written, and its members.

    is_compact: the text is exactly its members, with no white space between them, no escapes in keys
    and no key twice; each of those would make it longer than the members that were found in it.
    """

    __slots__ = ("is_compact", "members", "text")

    def __init__(self, text: Raw) -> None:
        """Raises ParseError (not JSON), or InvalidRequest (no object, a key twice, too many keys)."""
        self.text = text
        if len(text) > LONG:
            _count(text)
        self.members = members = _decode(text)
        if len(members) > MOST_MEMBERS:
            raise _too_many()
        length = sum(map(len, members)) + sum(map(len, members.values())) + 4 * len(members) + 1
        self.is_compact = length == len(text)
        if not self.is_compact:
            _refuse_repeated(bytes(text), members)

    def with_member(self, key: str, value: bytes) -> bytes:
        """The object with this raw member in place of its own, or added. All else stays as it was written."""
        if not self.is_compact or key not in self.members:
            return write_object({**self.members, key: value})
        start = 1
        for name, raw in self.members.items():
            start += len(name) + 3
            if name == key:
                break
            start += len(raw) + 1
        text = bytes(self.text)
        return text[:start] + value + text[start + len(raw) :]


def read_members(text: Raw) -> Members:
    """The members of the JSON object that `text` is. Raises ParseError or InvalidRequest."""
    return RawObject(text).members


def read_items(text: Raw, most: int) -> list[msgspec.Raw]:
    """The first items of a JSON list, raw; what there is more of them is not held. Raises InvalidRequest."""
    try:
        found = msgspec.structs.astuple(_items_decoder(most).decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("a JSON list is wanted here") from None
    return [item for item in found if item]


def write_object(members: Mapping[str, Raw]) -> bytes:
    """The JSON object with these raw members."""
    return b"{%s}" % b",".join([b"%s:%s" % (msgspec.json.encode(name), raw) for name, raw in members.items()])


def read_string(raw: Raw | None, what: str) -> str:
    """The string that a raw value is. Raises InvalidRequest, naming `what`, when it is something else."""
    if raw is not None:
        try:
            return msgspec.json.decode(raw, type=str)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    raise InvalidRequest(f"{what} must be a string")


class _Key(str):
    """A key that is counted."""

    __slots__ = ()


class _Counting:
    """Told of each key of one object. Raises InvalidRequest."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, _: type, key: Any) -> _Key:
        self._count += 1
        if self._count > MOST_MEMBERS:
            raise _too_many()
        return _Key(key)


def _count(text: Raw) -> None:
    """Refuse an object of too many members while it is read: each would be held many times over."""
    _decode(text, msgspec.json.Decoder(dict[_Key, msgspec.Raw], dec_hook=_Counting()))


def _too_many() -> InvalidRequest:
    return InvalidRequest(f"an object here has more than {MOST_MEMBERS} members")


@cache
def _items_decoder(most: int) -> msgspec.json.Decoder[Any]:
    items = [(f"item_{number}", msgspec.Raw, msgspec.Raw()) for number in range(most)]
    return msgspec.json.Decoder(msgspec.defstruct("_Items", items, array_like=True))


def _decode(text: Raw, decoder: msgspec.json.Decoder[Any] = _DECODER) -> Members:
    read: Members
    try:
        read = decoder.decode(text)
    except msgspec.ValidationError:
        raise InvalidRequest("a JSON object is wanted here") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ParseError("the body is not well-formed JSON") from None
    except RecursionError:
        raise ParseError("the body is nested too deeply") from None
    return read


def _refuse_repeated(text: bytes, members: Members) -> None:
    """Walk the text with the values found; where they do not fit, a key came more than once."""
    match = _OPEN.match(text)
    position = match.end() if match else 0
    seen: set[str] = set()
    while (match := _NAME.match(text, position)) is not None:
        name = msgspec.json.decode(match[1], type=str)
        value = bytes(members[name])
        end = match.end() + len(value)
        following = _NEXT.match(text, end)
        if name in seen or text[match.end() : end] != value or following is None:
            raise InvalidRequest(f"the key {name!r} is there twice")
        seen.add(name)
        position = following.end()
