"""A JSON object whose members stay raw: duplicate keys are refused, all else is kept as it is."""

from __future__ import annotations

import contextlib
import json
import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ostiary.mcp.errors import InvalidRequest, McpError, ParseError
from ostiary.mcp.raw_object import RawObject, read_items, read_members, read_string, write_object

SPACES = (b"", b" ", b"\n", b"\t", b"\r\n", b"  \t")


def raw(text: bytes) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in read_members(text).items()}


def refusal(text: bytes) -> McpError:
    with pytest.raises(McpError) as refused:
        read_members(text)
    return refused.value


def test_values_are_given_as_they_were_written() -> None:
    text = b'{"a":1.50,"b":[ 1,2 ],"c":{"d" : "\\u00e9"},"e":null,"f":"\\/"}'
    assert raw(text) == {
        "a": b"1.50",
        "b": b"[ 1,2 ]",
        "c": b'{"d" : "\\u00e9"}',
        "e": b"null",
        "f": b'"\\/"',
    }


@pytest.mark.parametrize("text", [b"{}", b"{ }", b" {\n} ", b"\t{\r\n}"])
def test_an_empty_object_has_no_members_however_it_is_written(text: bytes) -> None:
    assert raw(text) == {}


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":1,"a":12}',
        b'{"a":12,"a":1}',
        b'{"a":{"b":1},"a":{"b":1}}',
        b'{"a":"x","b":2,"a":"x"}',
        b'{"a":1,"\\u0061":1}',
        b'{"\\u0061":1,"a":2}',
        b'{ "a" : 1 , "a" : 1 }',
        b'{"a":1\n,\t"a"\r:2}',
        b'{"a":"{\\"a\\":1}","a":1}',
        b'{"a":[],"b":0,"a":[]}',
    ],
)
def test_a_key_that_is_there_twice_is_refused_however_it_is_spelt(text: bytes) -> None:
    assert (type(refusal(text)), str(refusal(text))) == (InvalidRequest, "the key 'a' is there twice")


@pytest.mark.parametrize("text", [b'{"":1,"":2}', '{"é":1,"é":1}'.encode(), b'{"\\u00e9":1,"\xc3\xa9":1}'])
def test_odd_keys_are_refused_twice_too(text: bytes) -> None:
    assert isinstance(refusal(text), InvalidRequest)


@pytest.mark.parametrize("space", SPACES)
def test_white_space_between_tokens_changes_nothing(space: bytes) -> None:
    tokens = [b"{", b'"a"', b":", b"1", b",", b'"b"', b":", b'"x, y: {"', b"}"]
    assert raw(space + space.join(tokens) + space) == {"a": b"1", "b": b'"x, y: {"'}


@pytest.mark.parametrize("text", [b"[]", b"1", b'"a"', b"null", b"true", b"[{}]"])
def test_what_is_no_object_is_refused(text: bytes) -> None:
    assert (type(refusal(text)), str(refusal(text))) == (InvalidRequest, "a JSON object is wanted here")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b'{"a"}',
        b'{"a":1,}',
        b'{"a":1}x',
        b"{'a':1}",
        b'{"a":1}{"a":1}',
        b'{"a":01}',
        b"\x00",
        b"{a:1}",
    ],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    assert (type(refusal(text)), str(refusal(text))) == (ParseError, "the body is not well-formed JSON")


@pytest.mark.parametrize("text", [b'{"\xff":1}', b'{"\xc3\x28":1}', b'{"\xed\xa0\x80":1}', b'{"\\ud800":1}'])
def test_a_key_that_is_no_text_is_refused(text: bytes) -> None:
    assert isinstance(refusal(text), McpError)


@pytest.mark.parametrize(("start", "end"), [(b'{"a":', b"}"), (b"[", b"]")])
def test_deep_nesting_is_refused_or_read_and_never_a_crash(start: bytes, end: bytes) -> None:
    for depth in (10, 100, 1_000, 10_000, 100_000):
        text = b'{"a":' + start * depth + b"1" + end * depth + b"}"
        try:
            value = raw(text)["a"]
        except ParseError as error:
            value, said = b"", str(error)
        assert value == text[5:-1] or said == "the body is nested too deeply"


def test_members_are_written_in_their_order_and_untouched() -> None:
    assert write_object({"b": b"1.0", 'a"': b"[ ]"}) == b'{"b":1.0,"a\\"":[ ]}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a":1,"b":"x","c":[ ]}', b'{"a":1,"b":NEW,"c":[ ]}'),
        (b'{"b":1}', b'{"b":NEW}'),
        (b'{"b":{"b":1},"c":2}', b'{"b":NEW,"c":2}'),
        (b'{ "a" : 1 , "b" : 2 }', b'{"a":1,"b":NEW}'),
        ('{"é":1,"b":2}'.encode(), '{"é":1,"b":NEW}'.encode()),
    ],
)
def test_one_member_is_replaced_and_the_rest_stays(text: bytes, expected: bytes) -> None:
    assert RawObject(text).with_member("b", b"NEW") == expected


@pytest.mark.parametrize("value", [b"1", b"null", b"{}", b'["a"]'])
def test_a_string_is_wanted_where_a_string_is_due(value: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_string(msgspec.Raw(value), "params.name")
    assert str(refused.value) == "params.name must be a string"


def test_a_missing_string_is_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_string(None, "method")
    assert str(refused.value) == "method must be a string"


# Random objects, written in every style: what we say must be what a strict reader says.

KEYS = ("a", "b", "name", "é", "", 'q"', "\\", "\U0001f427", "_meta", "a\n")
VALUES: tuple[Any, ...] = (
    0,
    -1.5,
    "x",
    "",
    "}",
    '","a":',
    "é\U0001f427",
    True,
    None,
    [],
    {},
    [1, {"a": 2}],
    {"a": {"a": 1}},
)


def written_at_random(chance: random.Random, pairs: list[tuple[str, Any]]) -> bytes:
    style = chance.choice(("compact", "compact in UTF-8", "spaced"))
    ascii_only = style == "compact" or chance.random() < 0.5
    members = []
    for name, value in pairs:
        key = json.dumps(name, ensure_ascii=ascii_only)
        if style == "spaced" and name and chance.random() < 0.3:
            key = "".join(f"\\u{ord(char):04x}" for char in name if ord(char) < 0x10000).join('""') or key
        text = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))
        gap = chance.choice(SPACES).decode() if style == "spaced" else ""
        members.append(f"{gap}{key}{gap}:{gap}{text}{gap}")
    return ("{" + ",".join(members) + "}").encode()


def strictly(text: bytes) -> dict[str, Any] | None:
    """What the standard library reads; None when a key of the object itself is there twice."""
    pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    names = [name for name, _ in pairs]
    return None if len(set(names)) < len(names) else json.loads(text)


@pytest.mark.parametrize("seed", range(20))
def test_any_object_is_read_as_a_strict_reader_reads_it(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        pairs = [(chance.choice(KEYS), chance.choice(VALUES)) for _ in range(chance.randrange(5))]
        text = written_at_random(chance, pairs)
        expected = strictly(text)
        if expected is None:
            assert isinstance(refusal(text), InvalidRequest), text
            continue
        whole = RawObject(text)
        members = whole.members
        assert {name: json.loads(bytes(value)) for name, value in members.items()} == expected, text
        assert list(members) == list(expected), text
        if whole.is_compact:
            assert write_object(members) == text
        for name in members:
            replaced = json.loads(whole.with_member(name, b'"new"'))
            assert replaced == expected | {name: "new"}, text


@pytest.mark.parametrize("separator", [b",", b", "])
def test_an_object_of_a_million_members_is_refused_before_they_are_compared(separator: bytes) -> None:
    text = b"{%s}" % separator.join([b'"%d":1' % number for number in range(1_000_000)])
    with pytest.raises(InvalidRequest, match=r"^an object here has more than 1000 members$"):
        read_members(text)


def held_by(read: Callable[[], object]) -> int:
    """The most bytes that are held for it at once."""
    tracemalloc.start()
    try:
        with contextlib.suppress(McpError):
            read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("member", ['"%d":1', '"same":%d'])
def test_an_object_of_too_many_members_costs_no_more_than_its_own_size(member: str) -> None:
    text = b"{%s}" % b",".join([(member % number).encode() for number in range(200_000)])
    assert held_by(lambda: read_members(text)) < 1024 * 1024


def test_items_are_given_as_they_were_written_up_to_so_many() -> None:
    listed = b'[ 1.0 , {"a" : []},"x", 7 ]'
    assert [bytes(one) for one in read_items(listed, 3)] == [b"1.0", b'{"a" : []}', b'"x"']
    assert [bytes(one) for one in read_items(b"[ 1 ]", 3)] == [b"1"]
    assert read_items(b"[]", 3) == []
    for text in (b"{}", b"7", b"[", b"[1,]", b"[1]]", b"[" * 100_000, b'["\\q"]'):
        with pytest.raises(InvalidRequest, match=r"^a JSON list is wanted here$"):
            read_items(text, 3)


def test_a_list_of_too_many_items_costs_nothing() -> None:
    text = b"[%s]" % b",".join([b"1"] * 500_000)
    assert held_by(lambda: read_items(text, 10)) < 64 * 1024
