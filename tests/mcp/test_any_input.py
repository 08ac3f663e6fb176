"""Whatever comes, and however it is cut: read as every other parser reads it, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from ostiary.mcp.errors import McpError
from ostiary.mcp.events import KEEP_ALIVE, EventReader, EventTooLong, write_event
from ostiary.mcp.links import may_have_links, rename_links
from ostiary.mcp.messages import read_answer, read_message, write_answer
from ostiary.mcp.raw_object import RawObject
from ostiary.mcp.server_message import read_server_message

KEYS = st.sampled_from(
    [
        "jsonrpc",
        "id",
        "method",
        "params",
        "name",
        "uri",
        "_meta",
        "result",
        "error",
        "content",
        "resource",
        "é",
    ]
)
"""Those that mean something, and one that nobody knows."""
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["2.0", "tools/call", "resources/read", "zoo_get", "a://1"])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": st.sampled_from(["tools/call", "resources/read", "tools/list"])},
    optional={
        "id": st.integers(0, 99) | st.text(max_size=5),
        "params": st.dictionaries(KEYS, VALUES, max_size=4) | VALUES,
        "extra": VALUES,
    },
)
STYLES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (" , ", " : ")}]
)


@st.composite
def texts(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> bytes:
    """JSON in some style, perhaps with a key escaped, and perhaps damaged in a few places."""
    text = json.dumps(draw(values), **draw(STYLES)).encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        text = text.replace(b'"method"', b'"m\\u0065thod"').replace(b'"uri"', b'"\\u0075ri"')
    if draw(st.booleans()):
        text = text.replace(b'"extra"', b'"method"').replace(b'"resource"', b'"name"')
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 4)))
        text = text[:start] + draw(st.binary(max_size=3)) + text[end:]
    return text


class Twice(Exception):
    """A key is."""


def as_others_read(text: bytes) -> Any:
    """Raises Twice at the level of the message, or of its parameters."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            found[TWICE] = True
        return found

    read = json.loads(text, object_pairs_hook=members)
    for level in (read, read.get("params") if isinstance(read, dict) else None):
        if isinstance(level, dict) and TWICE in level:
            raise Twice
    return read


TWICE = "\0"


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(texts(MESSAGES) | texts(VALUES) | st.binary(max_size=60))
def test_a_message_is_read_as_others_read_it_or_refused(text: bytes) -> None:
    try:
        message = read_message(text)
    except McpError:
        return
    others = as_others_read(text)
    assert (others["jsonrpc"], others["method"].encode()) == ("2.0", message.method)
    assert json.loads(message.id or b"null") == others.get("id")
    assert {name: json.loads(bytes(raw)) for name, raw in message.params.items()} == {
        name: json.loads(json.dumps(value)) for name, value in others.get("params", {}).items()
    }
    sent = as_others_read(message.written(b"7", None))
    assert sent == {"jsonrpc": "2.0", "id": 7, "method": others["method"], "params": others.get("params", {})}


@given(texts(MESSAGES), KEYS, VALUES)
def test_a_changed_parameter_is_the_only_change(text: bytes, key: str, value: Any) -> None:
    try:
        message = read_message(text)
    except McpError:
        return
    sent = json.loads(message.written(b"7", (key, json.dumps(value).encode())))
    assert sent["params"] == {**as_others_read(text).get("params", {}), key: value}


@given(texts(VALUES) | texts(MESSAGES))
def test_an_object_is_its_members_or_refused(text: bytes) -> None:
    assume(is_utf8(text))  # a value that is passed on raw is looked at where it is read
    try:
        found = RawObject(text)
    except McpError:
        return
    others = json.loads(text)
    assert {name: json.loads(bytes(raw)) for name, raw in found.members.items()} == others


@given(VALUES, st.integers(0, 99))
def test_an_answer_comes_back_as_it_was_written(value: Any, number: int) -> None:
    raw = json.dumps(value, separators=(",", ":")).encode()
    kind, read = read_answer(write_answer(b"%d" % number, "result", raw), b"%d" % number)
    assert (kind, bytes(read)) == ("result", raw)


@given(texts(MESSAGES) | texts(VALUES) | st.binary(max_size=60))
def test_what_a_server_says_is_read_as_others_read_it_or_refused(text: bytes) -> None:
    assume(is_utf8(text))
    try:
        message = read_server_message(text)
    except McpError:
        return
    others = json.loads(text)
    for name in ("id", "method", "params", "result", "error"):
        raw = bytes(getattr(message, name))
        assert (json.loads(raw) if raw else None) == others.get(name)


LINES = st.sampled_from(
    [
        b"data: {}",
        b"data:x",
        b"data",
        b": hello",
        b":",
        b"event: message",
        b"event: other",
        b"id: 7",
        b"retry: 5",
        b"",
    ]
)
STREAMS = st.lists(LINES | st.binary(max_size=6), max_size=12).flatmap(
    lambda lines: st.lists(
        st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=len(lines), max_size=len(lines)
    ).map(lambda ends: b"".join(line + end for line, end in zip(lines, ends, strict=True)))
)


@given(STREAMS, st.lists(st.integers(0, 100), max_size=6))
def test_a_stream_says_the_same_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert spoken(*pieces) == spoken(stream) == spoken(*(stream[i : i + 1] for i in range(len(stream))))


def spoken(*pieces: bytes) -> list[bytes]:
    """The messages, without signs of life; how many of these come together depends on the cuts."""
    reader = EventReader(10_000)
    return [message for piece in pieces for message in reader.feed(piece) if message != KEEP_ALIVE]


@given(VALUES, STYLES)
def test_an_event_says_what_was_put_into_it(value: Any, style: dict[str, Any]) -> None:
    text = json.dumps(value, **style).encode("utf-8", "surrogatepass")
    [message] = EventReader(1_000_000).feed(write_event(text))
    assert json.loads(message) == json.loads(text)


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 64))
def test_no_more_of_a_stream_is_held_than_is_allowed(pieces: list[bytes], most: int) -> None:
    reader = EventReader(most)
    try:
        for piece in pieces:
            reader.feed(piece)
            assert reader.held <= most
    except EventTooLong:
        pass


HOLDERS = ("content", "contents", "messages", "resource")
RESULTS = st.dictionaries(
    st.sampled_from([*HOLDERS, "uri", "structuredContent"]),
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*HOLDERS, "uri", "text", "arguments"]), inner, max_size=3)
        ),
        max_leaves=12,
    ),
    max_size=4,
)


@given(RESULTS, STYLES)
def test_links_of_a_result_are_renamed_and_nothing_else(result: Any, style: dict[str, Any]) -> None:
    text = json.dumps(result, **style).encode("utf-8", "surrogatepass")
    try:
        renamed = rename_links(text, lambda uri: f"zoo+{uri}")
    except McpError:
        assert not _all_uris_are_text(result)
        return
    assert json.loads(renamed) == _with_links(result, lambda uri: f"zoo+{uri}")
    if not may_have_links(text):
        assert renamed == text


def _with_links(value: Any, rename: Callable[[str], str], depth: int = 1) -> Any:
    """What `rename_links` says that it does, on values."""
    if isinstance(value, list):
        return [_with_links(one, rename, depth + 1) if _is_open(one, depth) else one for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, inner in value.items():
        if key == "uri":
            found[key] = rename(inner)
        elif key in HOLDERS and _is_open(inner, depth):
            found[key] = _with_links(inner, rename, depth + 1)
        else:
            found[key] = inner
    return found


def _is_open(value: Any, depth: int) -> bool:
    return isinstance(value, dict | list) and depth < 8


def _all_uris_are_text(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_all_uris_are_text, value))
    if not isinstance(value, dict):
        return True
    here = isinstance(value.get("uri", ""), str) and _encodes(value.get("uri", ""))
    return here and all(_all_uris_are_text(inner) for inner in value.values())


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
