"""Policies at every door: what is let through, what lists show, and what a refusal says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.conftest import META, result
from tests.gateway.test_overrides import having
from tests.gateway.test_tasks import KNOWING, works_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web
    from tests.gateway.conftest import Caller, McpServer, Seen
    from tests.gateway.policy.conftest import Guarded, StartGuarded

StartServer = "Callable[[], Awaitable[McpServer]]"
FEED = {"name": "feed", "annotations": {"destructiveHint": False}}
LOOK = {"name": "look", "annotations": {"readOnlyHint": True}}
BURN = {"name": "burn"}
KEEPERS = """
@id("look") permit(principal, action == Action::"call_tool", resource) when { resource.readOnlyHint };
@id("keep") permit(principal in Group::"keepers", action, resource in Server::"zoo");
@id("burn") @reason("nothing is burnt here")
forbid(principal, action == Action::"call_tool", resource == Tool::"zoo/burn");
"""


async def zoo_and_notes(start_server: Callable[[], Awaitable[McpServer]]) -> dict[str, Any]:
    zoo, notes = await start_server(), await start_server()
    having_the_rest = having(
        tools=[FEED, LOOK, BURN],
        prompts=[{"name": "greet"}],
        resources=[{"uri": "note://one", "name": "one"}],
    )

    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        if seen.method == "resources/templates/list":
            return result(seen, {"resourceTemplates": [{"uriTemplate": "note://{name}", "name": "any"}]})
        return await having_the_rest(seen, request)

    zoo.reply = reply
    notes.reply = having(tools=[{"name": "write"}], resources=[{"uri": "note://two", "name": "two"}])
    return {"zoo": {"url": zoo.url}, "notes": {"url": notes.url}}


@pytest.fixture
async def guarded(start_guarded: StartGuarded, start_server: Callable[[], Awaitable[McpServer]]) -> Guarded:
    return await start_guarded(
        KEEPERS,
        servers=await zoo_and_notes(start_server),
        virtual_servers={
            "some": {"include": ["zoo.*"], "overrides": {"zoo": {"tools": {"burn": {"name": "warm"}}}}},
            "all": {"include": ["zoo", "notes"], "tools": "search"},
        },
    )


def keeper(guarded: Guarded) -> Caller:
    return guarded.caller("keeper", groups=["keepers"])


async def outcome(caller: Caller, method: str, params: dict[str, Any], path: str = "/mcp") -> Any:
    """Whether it is answered, or the status and the error."""
    answered = await caller.ask(method, params, path=path)
    said = answered.json()
    return (
        "ok" if "result" in said else (answered.status_code, said["error"]["code"], said["error"]["message"])
    )


async def names(caller: Caller, kind: str = "tools", path: str = "/mcp") -> list[str]:
    method = "resources/templates/list" if kind == "resourceTemplates" else f"{kind}/list"
    listed = (await caller.ask(method, path=path)).json()["result"]
    key = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}[kind]
    return [item[key] for item in listed[kind]]


BURNT = (403, -32003, "you may not call this tool: nothing is burnt here")
NOT_CALLED = (403, -32003, "you may not call this tool: no policy lets you")


async def test_what_policies_permit_is_called_and_nothing_else(guarded: Guarded) -> None:
    stranger = guarded.caller("stranger")
    assert await outcome(keeper(guarded), "tools/call", {"name": "zoo_feed"}) == "ok"
    assert await outcome(stranger, "tools/call", {"name": "zoo_feed"}) == NOT_CALLED
    assert await outcome(stranger, "tools/call", {"name": "zoo_look"}) == "ok"
    assert await outcome(keeper(guarded), "tools/call", {"name": "notes_write"}) == NOT_CALLED


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("zoo_burn", "/mcp"),
        ("burn", "/servers/zoo/mcp"),
        ("zoo_warm", "/virtual/some/mcp"),
    ],
)
async def test_a_tool_under_any_name_at_any_door_is_the_tool_that_it_is(
    guarded: Guarded, name: str, path: str
) -> None:
    assert await outcome(keeper(guarded), "tools/call", {"name": name}, path) == BURNT
    wrapped = {"name": "call_tool", "arguments": {"name": "zoo_burn"}}
    assert await outcome(keeper(guarded), "tools/call", wrapped, "/virtual/all/mcp") == BURNT


@pytest.mark.parametrize(
    ("method", "params", "what"),
    [
        ("resources/read", {"uri": "zoo+note://one"}, "read this resource"),
        ("resources/read", {"uri": "ZOO+note://one"}, "read this resource"),
        ("prompts/get", {"name": "zoo_greet"}, "get this prompt"),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "zoo_greet"}, "argument": {"name": "a", "value": ""}},
            "ask for completions here",
        ),
        (
            "completion/complete",
            {
                "ref": {"type": "ref/resource", "uri": "zoo+note://{name}"},
                "argument": {"name": "a", "value": ""},
            },
            "ask for completions here",
        ),
    ],
)
async def test_resources_prompts_and_completions_are_decided_alike(
    guarded: Guarded, method: str, params: dict[str, Any], what: str
) -> None:
    refused = (403, -32003, f"you may not {what}: no policy lets you")
    assert await outcome(guarded.caller("stranger"), method, params) == refused
    if method != "completion/complete":
        assert await outcome(keeper(guarded), method, params) == "ok"


@pytest.mark.parametrize("path", ["/mcp", "/servers/zoo/mcp", "/virtual/some/mcp"])
async def test_lists_show_what_may_be_used(guarded: Guarded, path: str) -> None:
    prefix, scheme = ("", "") if "servers" in path else ("zoo_", "zoo+")
    assert await names(keeper(guarded), path=path) == [f"{prefix}feed", f"{prefix}look"]
    assert await names(guarded.caller("stranger"), path=path) == [f"{prefix}look"]
    for kind, here in (
        ("prompts", f"{prefix}greet"),
        ("resources", f"{scheme}note://one"),
        ("resourceTemplates", f"{scheme}note://{{name}}"),
    ):
        assert await names(keeper(guarded), kind, path) == [here]
        assert await names(guarded.caller("stranger"), kind, path) == []


async def test_a_list_of_one_caller_is_never_shown_to_another(guarded: Guarded) -> None:
    listed = (await keeper(guarded).ask("tools/list")).json()["result"]
    assert listed["cacheScope"] == "private"
    assert await names(guarded.caller("stranger")) == ["zoo_look"]
    assert await names(keeper(guarded)) == ["zoo_feed", "zoo_look"]


async def test_tools_are_found_among_those_that_may_be_called(guarded: Guarded) -> None:
    async def found(caller: Caller) -> list[str]:
        sought = {"name": "find_tools", "arguments": {"query": "feed look burn write"}}
        told = (await caller.ask("tools/call", sought, path="/virtual/all/mcp")).json()["result"]
        return sorted(tool["name"] for tool in told["structuredContent"]["tools"])

    assert await found(keeper(guarded)) == ["zoo_feed", "zoo_look"]
    assert await found(guarded.caller("stranger")) == ["zoo_look"]


async def test_who_may_use_nothing_of_a_server_hears_nothing_of_it(
    start_guarded: StartGuarded, server: McpServer, start_server: Callable[[], Awaitable[McpServer]]
) -> None:
    other = await start_server()

    async def discover(seen: Seen, _request: web.Request) -> web.StreamResponse:
        return result(seen, {"capabilities": {"tools": {}}, "instructions": "Secret ways.", "tools": []})

    server.reply = other.reply = discover
    guarded = await start_guarded(
        'permit(principal, action == Action::"call_tool", resource in Server::"open");',
        servers={"open": {"url": other.url}, "shut": {"url": server.url}},
    )
    caller = guarded.caller("ada")
    told = (await caller.ask("server/discover")).json()["result"]
    assert told["instructions"] == "open: Secret ways."
    assert "shut" not in (await caller.ask("tools/list")).text
    assert server.seen == []


async def test_a_refused_call_reaches_no_server(start_guarded: StartGuarded, server: McpServer) -> None:
    guarded = await start_guarded(
        'permit(principal, action, resource == Tool::"s/a");', servers={"s": {"url": server.url}}
    )
    caller = guarded.caller("ada")
    for path, name in (("/mcp", "s_b"), ("/servers/s/mcp", "b")):
        assert await outcome(caller, "tools/call", {"name": name}, path) == NOT_CALLED
    assert server.seen == []


@pytest.mark.parametrize("name", ["A", "a ", " a", "a\u200b", "\uff41", "a\u0301", "a/../a", "s/a", "a\x00"])
async def test_a_name_that_only_looks_like_another_is_another(
    start_guarded: StartGuarded, server: McpServer, name: str
) -> None:
    guarded = await start_guarded(
        'permit(principal, action, resource == Tool::"s/a");', servers={"s": {"url": server.url}}
    )
    caller = guarded.caller("ada")
    status, code, _ = await outcome(caller, "tools/call", {"name": name}, "/servers/s/mcp")
    assert (status, code) in {(403, -32003), (400, -32602)}
    assert [seen for seen in server.seen if seen.method == "tools/call"] == []


async def test_without_a_policy_that_permits_it_nothing_passes_a_server_alone_either(
    start_guarded: StartGuarded, server: McpServer
) -> None:
    guarded = await start_guarded(
        'permit(principal, action, resource == Tool::"s/a");', servers={"s": {"url": server.url}}
    )
    answered = await guarded.caller("ada").ask("odd/method", path="/servers/s/mcp")
    assert (answered.status_code, answered.json()["error"]["code"]) == (404, -32601)
    assert server.seen == []


# arguments

PATHS = """
permit(principal, action == Action::"call_tool", resource == Tool::"s/read")
when { context.arguments has path && context.arguments.path like "/public/*" };
@id("not-all") forbid(principal, action == Action::"call_tool", resource == Tool::"s/read")
when { context.arguments has all && context.arguments.all };
"""


def called_with(arguments: str) -> tuple[bytes, list[tuple[str, str]]]:
    """A call of s_read whose arguments are written so."""
    params = f'"name":"s_read","arguments":{arguments},"_meta":{json.dumps(META)}'
    body = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{params}}}}}'
    return body.encode(), [
        ("mcp-method", "tools/call"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-name", "s_read"),
    ]


async def test_arguments_that_a_policy_reads_decide(start_guarded: StartGuarded, server: McpServer) -> None:
    server.reply = having(tools=[{"name": "read"}])
    guarded = await start_guarded(PATHS, servers={"s": {"url": server.url}})
    caller = guarded.caller("ada")
    assert await names(caller) == ["s_read"]

    async def status(arguments: str) -> int:
        return (await caller.post(*called_with(arguments))).status_code

    assert await status('{"path":"/public/a","other":{"path":[1]}}') == 200
    assert await status('{"path":"/public/a","all":false}') == 200
    assert await status('{"path":"/public/a","all":null}') == 200
    for refused in ('{"path":"/etc/passwd"}', "{}", '{"path":"/public/a","all":true}'):
        assert await status(refused) == 403


@pytest.mark.parametrize(
    "arguments",
    [
        '{"path":"/public/a","path":"/etc/passwd"}',
        '{"path":"/public/a","p\\u0061th":"/etc/passwd"}',
        '{"path":"/public/a","PATH":"/etc/passwd"}',
        '{"path":"/public/a","\\u017fx":1,"aLL":true}',
        '{"path":["/public/a"]}',
        '{"path":{"like":"/public/a"}}',
        '{"path":"/public/a","all":"true"}',
        '{"path":"/public/a","all":1}',
        '{"path":"/public/\\ud800"}',
        '{"path":"/public/%s"}' % ("a" * 70_000),
        '["/public/a"]',
        '"path"',
    ],
)
async def test_smuggled_arguments_are_refused(
    start_guarded: StartGuarded, server: McpServer, arguments: str
) -> None:
    guarded = await start_guarded(PATHS, servers={"s": {"url": server.url}})
    caller = guarded.caller("ada")
    answered = await caller.post(*called_with(arguments))
    assert answered.status_code in {400, 403}
    assert server.seen == []


async def test_a_policy_that_cannot_be_evaluated_lets_nothing_through(
    start_guarded: StartGuarded, server: McpServer
) -> None:
    guarded = await start_guarded(
        """
        permit(principal, action, resource);
        forbid(principal, action == Action::"call_tool", resource)
        when { context.arguments has amount && context.arguments.amount * 1000 > 5000 };
        """,
        servers={"s": {"url": server.url}},
    )
    caller = guarded.caller("ada")
    for amount, status in ((1, 200), (6, 403), (2**63 - 1, 403), (2**64, 403), (6.0, 403)):
        answered = await caller.post(*called_with(json.dumps({"amount": amount})))
        assert answered.status_code == status, amount


# resources, tasks


@pytest.mark.parametrize(
    "uri",
    [
        "file:///public/../etc/passwd",
        "file:///public/%2e%2e/etc/passwd",
        "file:///public/..%2Fetc/passwd",
        "file:///public/%252e%252e/etc/passwd",
        "file:///public\\..\\etc",
        "file:///public/.\t./etc/passwd",
        "file:///public/..",
    ],
)
async def test_a_way_round_a_folder_is_no_way_into_it(
    start_guarded: StartGuarded, server: McpServer, uri: str
) -> None:
    guarded = await start_guarded(
        'permit(principal, action, resource is Resource) when { resource.name like "file:///public/*" };',
        servers={"s": {"url": server.url}},
    )
    caller = guarded.caller("ada")
    assert await outcome(caller, "resources/read", {"uri": "s+file:///public/a..b"}) == "ok"
    status, *_ = await outcome(caller, "resources/read", {"uri": f"s+{uri}"})
    assert status == 403


async def test_who_may_not_call_a_tool_any_more_may_not_ask_for_its_task(
    start_guarded: StartGuarded, server: McpServer
) -> None:
    async def ask(caller: Caller, method: str, **params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": KNOWING, **params}}
        said = str(params.get("taskId", params.get("name")))
        headers = [("mcp-method", method), ("mcp-protocol-version", "2026-07-28"), ("mcp-name", said)]
        return (await caller.post(json.dumps(body).encode(), headers)).json()

    server.reply = works_on
    guarded = await start_guarded(
        'permit(principal, action, resource == Tool::"s/slow") when { principal.scopes.contains("go") };',
        servers={"s": {"url": server.url}},
    )
    may = guarded.caller("may", sub="ada", scope="go")
    task = (await ask(may, "tools/call", name="s_slow"))["result"]["taskId"]
    assert "result" in await ask(may, "tasks/get", taskId=task)
    may_not = guarded.caller("may-not", sub="ada", scope="other")
    assert (await ask(may_not, "tasks/get", taskId=task))["error"]["code"] == -32003


# scopes


async def test_who_lacks_scopes_hears_of_all_that_it_takes_at_once(
    start_guarded: StartGuarded, server: McpServer
) -> None:
    server.reply = having(tools=[{"name": "write"}, {"name": "drop"}])
    guarded = await start_guarded(
        """
        permit(principal, action == Action::"call_tool", resource == Tool::"s/write")
        when { principal.scopes.containsAll(["files:read", "files:write"]) };
        permit(principal, action == Action::"call_tool", resource == Tool::"s/drop")
        when { principal.scopes.contains("admin") && principal in Group::"admins" };
        """,
        servers={"s": {"url": server.url}},
        required_scopes=["mcp"],
    )
    caller = guarded.caller("ada", scope="mcp files:read other")
    refused = await caller.ask("tools/call", {"name": "s_write"})
    assert refused.status_code == 403
    assert refused.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", error_description="the token lacks scopes for this", '
        'scope="mcp files:read files:write", '
        'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"'
    )
    assert refused.json()["error"] == {
        "code": -32003,
        "message": "your token lacks scopes: this needs mcp files:read files:write",
        "data": {"scopes": ["mcp", "files:read", "files:write"]},
    }
    assert "www-authenticate" not in (await caller.ask("tools/call", {"name": "s_drop"})).headers
    assert await names(caller) == ["s_write"]
    assert server.seen[-1].method == "tools/list"


# reload


async def test_policies_that_change_count_from_the_next_second_on(
    start_guarded: StartGuarded, server: McpServer, monkeypatch: pytest.MonkeyPatch, log: list[Any]
) -> None:
    monkeypatch.setattr("ostiary.gateway.policy.live_policies.EVERY_SECONDS", 0.0)
    guarded = await start_guarded("permit(principal, action, resource);", servers={"s": {"url": server.url}})
    caller = guarded.caller("ada")
    asked = ("tools/call", {"name": "s_a"})
    assert await outcome(caller, *asked) == "ok"
    guarded.write("forbid(principal, action, resource);")
    assert await outcome(caller, *asked) == NOT_CALLED
    guarded.write("permit(principal, action, resource)", "broken.cedar")
    assert await outcome(caller, *asked) == NOT_CALLED
    told = [event for event in log if event["event"] == "file_not_reread"]
    assert len(told) == 1
    assert "broken.cedar:1: the policy ends too early" in told[0]["reason"]
    guarded.write("permit(principal, action, resource);", "broken.cedar")
    guarded.write("permit(principal, action, resource);")
    assert await outcome(caller, *asked) == "ok"
