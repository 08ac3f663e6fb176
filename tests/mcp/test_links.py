"""Resource URIs inside results get the name that they have on the federated endpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.mcp.errors import McpError
from ostiary.mcp.links import rename_links

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
