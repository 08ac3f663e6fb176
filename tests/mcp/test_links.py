"""Resource URIs inside results get the name that they have on the federated endpoint."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from ostiary.mcp.errors import McpError
from ostiary.mcp.links import MOST_LINKS, MOST_STEPS, LinkSplice, may_have_links, rename_links

LINK = {"type": "resource_link", "uri": "a://1", "name": "one"}
EMBEDDED = {"type": "resource", "resource": {"uri": "a://2", "text": "uri"}}
RENAMED_LINK = LINK | {"uri": "zoo+a://1"}
RENAMED_EMBEDDED = {"type": "resource", "resource": {"uri": "zoo+a://2", "text": "uri"}}


def renamed(result: Any, **style: Any) -> Any:
    text = json.dumps(result, **style).encode()
    return json.loads(bytes(rename_links(text, lambda uri: f"zoo+{uri}")))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"content": [LINK, EMBEDDED]}, {"content": [RENAMED_LINK, RENAMED_EMBEDDED]}),
        ({"contents": [{"uri": "a://1", "text": "x"}]}, {"contents": [{"uri": "zoo+a://1", "text": "x"}]}),
        (
            {"messages": [{"role": "user", "content": EMBEDDED}]},
            {"messages": [{"role": "user", "content": RENAMED_EMBEDDED}]},
        ),
        (
            {"messages": [{"role": "user", "content": [LINK]}]},
            {"messages": [{"role": "user", "content": [RENAMED_LINK]}]},
        ),
    ],
    ids=["tool", "resource", "prompt", "prompt with a list"],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
def test_links_of_every_result_are_renamed(result: Any, expected: Any, separators: tuple[str, str]) -> None:
    assert renamed(result, separators=separators) == expected


@pytest.mark.parametrize("space", ["", " ", "\n\t"])
def test_white_space_around_a_result_hides_no_link(space: str) -> None:
    text = f"{space}{json.dumps({'content': [LINK]})}{space}".encode()
    assert json.loads(bytes(rename_links(text, lambda uri: f"zoo+{uri}"))) == {"content": [RENAMED_LINK]}


@pytest.mark.parametrize(
    "result",
    [
        {"structuredContent": {"uri": "a://1", "content": [LINK]}},
        {"content": [{"type": "text", "text": '{"uri":"a://1"}'}]},
        {"_meta": {"uri": "a://1"}},
        {"content": []},
        {},
    ],
)
def test_what_is_the_tools_own_stays_as_it_is(result: Any) -> None:
    assert renamed(result) == result


def test_a_uri_that_is_no_string_is_refused() -> None:
    with pytest.raises(McpError) as refused:
        renamed({"content": [{"uri": 7}]})
    assert str(refused.value) == "uri must be a string"


def test_nesting_without_end_is_not_followed() -> None:
    deep: Any = LINK
    for _ in range(50):
        deep = {"content": [deep]}
    assert renamed(deep) == deep


def slowly_renamed(value: Any, depth: int = 8) -> Any:
    """What renaming means, without regard to what it costs."""
    if depth == 0 or not isinstance(value, list | dict):
        return value
    if isinstance(value, list):
        return [slowly_renamed(item, depth - 1) for item in value]
    return {
        key: f"zoo+{item}" if key in {"uri", "uriTemplate"}
        else slowly_renamed(item, depth - 1) if key in {"content", "contents", "messages", "resource"}
        else item
        for key, item in value.items()
    }  # fmt: skip


def grown(dice: random.Random, depth: int) -> Any:
    kind = dice.randrange(8) if depth else dice.randrange(4)
    if kind < 4:
        return ['"uri":"x"}]{[', 7.5e-3, None, '\\é"\n\\'][kind]
    if kind < 6:
        return [grown(dice, depth - 1) for _ in range(dice.randrange(4))]
    keys = ("content", "resource", "text", "structuredContent", 'a"}\\', "messages")
    value = {key: grown(dice, depth - 1) for key in dice.sample(keys, dice.randrange(4))}
    return {"uri": "a://" + chr(dice.randrange(32, 300)), **value} if dice.randrange(2) else value


@pytest.mark.parametrize("seed", range(200))
def test_what_is_renamed_does_not_depend_on_how_it_is_written(seed: int) -> None:
    dice = random.Random(seed)
    result = {"content": grown(dice, 10)}
    for style in ({}, {"separators": (",", ":")}, {"indent": 2}, {"ensure_ascii": False}):
        assert renamed(result, **style) == slowly_renamed(result)


def test_a_key_with_escapes_is_the_same_key() -> None:
    text = rb'{"c\u006fntent":[{"\u0075ri":"a://1"},{"uri\u0054emplate":"a"}]}'
    assert may_have_links(text.replace(b"uri", rb"\u0075ri"))
    expected = {"content": [{"uri": "zoo+a://1"}, {"uriTemplate": "zoo+a"}]}
    assert json.loads(rename_links(text, lambda uri: f"zoo+{uri}")) == expected


@pytest.mark.parametrize(
    "held",
    [
        b'{"content":[%s1]}' % (b'{"uri":"a"},' * 20_000),
        b'{"content":[%s1]}' % (b"[]," * 50_000),
        b'{"s":%s%s}' % (b"[" * 900, b"]" * 900),
        b'{"s":[%s1]}' % (b"[[[[[[]]]]]]," * 10_000),
        b'{"s":"%s"}' % (b'\\"' * 500_000),
        b'{"content":"%s"}' % (b"\\\\" * 500_000),
        b'{"s":["%s",{"s":"%s"}]}' % (b"x" * 300_000, b"\\n" * 300_000),
    ],
)
def test_a_long_result_is_read_in_pieces_of_bounded_work(held: bytes) -> None:
    splice = LinkSplice(held, lambda uri: uri)
    steps = at = pieces = 0
    while splice.goes_on():
        assert (splice.steps - steps <= 1000, splice.at - at <= 2 * 64 * 1024) == (True, True)
        assert (splice.steps, splice.at) > (steps, at)
        steps, at, pieces = splice.steps, splice.at, pieces + 1
    assert pieces >= len(held) // (2 * 64 * 1024)
    assert splice.out == held


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"uri":"a"},' * (MOST_LINKS + 1), f"it has more than {MOST_LINKS} links to resources"),
        (b"1," * (MOST_STEPS + 1), f"links are looked for in no more than {MOST_STEPS} parts of a result"),
        (b'{"uri":"%s"},' % (b"a" * 70_000), "uri in it is of another type, or too long"),
        (b'{"%s":1},' % (b"a" * 70_000), "a key in it is of another type, or too long"),
        (b" " * 70_000, "a number in it is of another type, or too long"),
    ],
)
def test_a_result_that_is_made_to_cost_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(McpError) as refused:
        rename_links(b'{"content":[%s1]}' % content, lambda uri: uri)
    assert str(refused.value) == message
