"""Many servers' lists as one: order, caching, clashes, and what is missing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.mcp.errors import InvalidRequest
from ostiary.mcp.merging import (
    LIST_KINDS,
    ListPage,
    OwnList,
    ServerList,
    UnavailableServer,
    discover_result,
    merge_capabilities,
    merge_lists,
    read_discovery,
    read_page,
)
from ostiary.mcp.names import Names

TOOLS = LIST_KINDS["tools/list"]
INFO = {"name": "ostiary", "version": "1"}
INFO_META = {"io.modelcontextprotocol/serverInfo": INFO}
DEAD = UnavailableServer("dead", "connect", 1.0, 2.0)


def page(*names: str, **more: Any) -> ListPage:
    return read_page(TOOLS, json.dumps({"tools": [{"name": name} for name in names], **more}).encode())


def merged(
    *pages: tuple[str, ListPage], bare: str = "", unavailable: tuple[UnavailableServer, ...] = ()
) -> Any:
    names = Names({server: "" if server == bare else f"{server}_" for server, _ in pages})
    lists = [own_list(server, page, names) for server, page in pages]
    return json.loads(merge_lists(TOOLS, lists, unavailable, INFO))


def own_list(server: str, page: ListPage, names: Names) -> OwnList:
    listed, own = ServerList(), OwnList(server)
    listed.add(page, 0)
    for _ in own.take(TOOLS, listed, names):
        pass
    return own


def test_servers_come_in_their_order_and_tools_in_theirs() -> None:
    assert merged(("b", page("z", "a")), ("a", page("m"))) == {
        "resultType": "complete",
        "tools": [{"name": "b_z"}, {"name": "b_a"}, {"name": "a_m"}],
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": INFO_META,
    }


def test_whatever_a_tool_says_besides_its_name_is_kept_to_the_byte() -> None:
    schema = b'{"type":"object", "properties":{"n":{"maximum":1.50}},"x":"\\u00e9"}'
    text = b'{"tools":[{"title":"T","name":"n","inputSchema":%s}]}' % schema
    result = merge_lists(TOOLS, [own_list("a", read_page(TOOLS, text), Names({"a": "a_"}))], [], INFO)
    assert b'{"title":"T","name":"a_n","inputSchema":%s}' % schema in result


def test_a_name_with_which_a_call_reaches_another_server_is_hidden_and_told() -> None:
    result = merged(("a", page("x", "b_y", "b_z", "b")), ("b", page("y")), bare="a")
    assert [tool["name"] for tool in result["tools"]] == ["x", "b", "b_y"]
    assert result["_meta"] == INFO_META | {
        "dev.ostiary/hidden": [{"server": "a", "name": "b_y"}, {"server": "a", "name": "b_z"}]
    }


def test_a_name_that_comes_twice_is_hidden_and_told() -> None:
    result = merged(("a", page("x", "x")), ("b", page("z", "y", "z")))
    assert [tool["name"] for tool in result["tools"]] == ["a_x", "b_z", "b_y"]
    assert result["_meta"] == INFO_META | {
        "dev.ostiary/hidden": [{"server": "a", "name": "x"}, {"server": "b", "name": "z"}]
    }


def test_a_server_that_is_away_is_named() -> None:
    result = merged(("a", page("x")), unavailable=(DEAD,))
    assert result["_meta"] == INFO_META | {
        "dev.ostiary/unavailable": [{"server": "dead", "step": "connect", "since": 1.0, "next_try": 2.0}]
    }


@pytest.mark.parametrize(
    ("pages", "unavailable", "ttl", "scope"),
    [
        ([{"ttlMs": 500, "cacheScope": "public"}, {"ttlMs": 100, "cacheScope": "public"}], (), 100, "public"),
        (
            [{"ttlMs": 500, "cacheScope": "public"}, {"ttlMs": 100, "cacheScope": "private"}],
            (),
            100,
            "private",
        ),
        ([{"ttlMs": 500, "cacheScope": "public"}, {}], (), 0, "private"),
        ([{"ttlMs": 500, "cacheScope": "public"}], (DEAD,), 0, "private"),
        ([{"ttlMs": -1, "cacheScope": "shared"}], (), 0, "private"),
        ([{"ttlMs": "500", "cacheScope": "public"}], (), 0, "public"),
        ([{"ttlMs": 1.5, "cacheScope": "public"}], (), 0, "public"),
        ([], (), 0, "private"),
    ],
)
def test_a_merged_list_is_cached_as_its_most_careful_part(
    pages: list[dict[str, Any]], unavailable: tuple[UnavailableServer, ...], ttl: int, scope: str
) -> None:
    parts = [(f"s{number}", page("x", **more)) for number, more in enumerate(pages)]
    result = merged(*parts, unavailable=unavailable)
    assert (result["ttlMs"], result["cacheScope"]) == (ttl, scope)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{}", "its answer to tools/list has no list of tools"),
        (b'{"tools":{}}', "its answer to tools/list has no list of tools"),
        (b'{"tools":null}', "its answer to tools/list has no list of tools"),
        (b'{"tools":[1]}', "a JSON object is wanted here"),
        (b'{"tools":[],"nextCursor":7}', "nextCursor must be a string"),
        (b'{"tools":[{"name":"a","name":"b"}]}', "the key 'name' is there twice"),
        (b'{"tools":[{"title":"a"}]}', "name must be a string"),
        (b'{"tools":[{"name":7}]}', "name must be a string"),
    ],
)
def test_a_page_that_is_no_list_is_refused_when_it_is_read(text: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        own_list("a", read_page(TOOLS, text), Names({"a": "a_"}))
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("more", "cursor"), [({"nextCursor": "c"}, "c"), ({"nextCursor": None}, None), ({}, None)]
)
def test_a_page_may_have_a_next_one(more: dict[str, Any], cursor: str | None) -> None:
    assert page("x", **more).next_cursor == cursor


def test_a_federation_can_do_what_any_server_can_and_what_is_relayed() -> None:
    found = [
        read_discovery("s", result)
        for result in (
            b'{"capabilities":{"tools":{"listChanged":true},"logging":{}}}',
            b'{"capabilities":{"resources":{"subscribe":true,"x":true},"tools":{},"experimental":{"x":{}}}}',
            b'{"capabilities":{"prompts":{"listChanged":false}}}',
            b"{}",
        )
    ]
    assert merge_capabilities(found) == {
        "prompts": {},
        "resources": {"subscribe": True},
        "tools": {"listChanged": True},
    }


@pytest.mark.parametrize(
    "result",
    [
        b"[]",
        b'{"capabilities":[]}',
        b'{"capabilities":{"tools":true}}',
        b'{"instructions":7}',
        b'{"capabilities":{},"capabilities":{}}',
    ],
)
def test_an_answer_that_is_no_discovery_is_refused(result: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_discovery("s", result)


def test_discovery_says_what_is_spoken_and_what_is_away() -> None:
    assert json.loads(discover_result({"tools": {}}, "zoo: hello", [DEAD], INFO)) == {
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": {"tools": {}},
        "instructions": "zoo: hello",
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": INFO_META
        | {"dev.ostiary/unavailable": [{"server": "dead", "step": "connect", "since": 1.0, "next_try": 2.0}]},
    }
