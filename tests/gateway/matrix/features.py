"""What MCP can do, a function each, written once for clients of both eras.

A feature returns when it works. An MCPError says how it is refused, and any other error that it is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from tests.gateway.matrix.conversation import Conversation
from tests.gateway.matrix.server_kinds import RunningServer
from tests.peers.mcp_server.prompts import PROMPTS
from tests.peers.mcp_server.server import EXTRA, RESOURCES, TEMPLATE
from tests.peers.mcp_server.tools import TOOLS, WATCHED

Feature = Callable[[Conversation, RunningServer], Awaitable[None]]
FEATURES: dict[str, Feature] = {}
ATTEMPTS = 40
"""How often an event is made to happen until it is heard: whoever listens may not have begun yet."""
BETWEEN = 0.1
"""Seconds between two of them."""


def feature(name: str) -> Callable[[Feature], Feature]:
    """Put a function among the features, under the name that the reference gives it."""

    def add(function: Feature) -> Feature:
        FEATURES[name] = function
        return function

    return add


async def everything(
    page: Callable[..., Awaitable[Any]], entries: Callable[[Any], Iterable[Any]]
) -> tuple[list[Any], int]:
    """All entries of a list, and how many pages they were on."""
    found: list[Any] = []
    cursor: str | None = None
    for pages in range(1, 20):
        result = await page(cursor=cursor)
        found += entries(result)
        cursor = result.next_cursor
        if cursor is None:
            return found, pages
    raise AssertionError("the list never ends")


@feature("tools: list and call")
async def tools(talk: Conversation, _: RunningServer) -> None:
    assert await talk.call("test_simple_text") == "This is a simple text response for testing."
    mixed = await talk.client.call_tool("test_multiple_content_types")
    assert [block.type for block in mixed.content] == ["text", "image", "resource"]
    failed = await talk.client.call_tool("test_error_handling")
    assert failed.is_error
    with pytest.raises(MCPError) as unknown:
        await talk.client.call_tool("test_nothing")
    assert unknown.value.error.code == types.INVALID_PARAMS


@feature("lists of many pages")
async def pages(talk: Conversation, _: RunningServer) -> None:
    listed, _pages = await everything(talk.client.list_tools, lambda result: result.tools)
    found = {tool.name: tool.input_schema for tool in listed if tool.name != EXTRA}
    assert found == {name: tool.listed.input_schema for name, tool in TOOLS.items()}


@feature("resources")
async def resources(talk: Conversation, _: RunningServer) -> None:
    listed, _pages = await everything(talk.client.list_resources, lambda result: result.resources)
    assert {str(resource.uri) for resource in listed} - {f"test://{EXTRA}"} == set(RESOURCES)
    for uri, (_resource, contents) in RESOURCES.items():
        assert (await talk.client.read_resource(uri)).contents == [contents]
    with pytest.raises(MCPError) as unknown:
        await talk.client.read_resource("test://nothing")
    assert unknown.value.error.code == (types.INVALID_PARAMS if talk.era == "modern" else -32002)


@feature("resource templates")
async def templates(talk: Conversation, _: RunningServer) -> None:
    listed = await talk.client.list_resource_templates()
    assert [template.uri_template for template in listed.resource_templates] == [TEMPLATE.uri_template]
    read = await talk.client.read_resource("test://template/7/data")
    assert '"id": "7"' in read.contents[0].text  # type: ignore[union-attr]


@feature("prompts")
async def prompts(talk: Conversation, _: RunningServer) -> None:
    listed, _pages = await everything(talk.client.list_prompts, lambda result: result.prompts)
    assert {prompt.name for prompt in listed} - {EXTRA} == set(PROMPTS)
    written = await talk.client.get_prompt("test_prompt_with_arguments", {"arg1": "one", "arg2": "two"})
    assert "arg1='one', arg2='two'" in written.messages[0].content.text  # type: ignore[union-attr]


@feature("completion")
async def completion(talk: Conversation, _: RunningServer) -> None:
    reference = types.PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
    completed = await talk.client.complete(reference, {"name": "arg1", "value": "par"})
    assert completed.completion.values == ["paris", "park", "party"]
    template = types.ResourceTemplateReference(type="ref/resource", uri=TEMPLATE.uri_template)
    completed = await talk.client.complete(template, {"name": "id", "value": "pr"})
    assert completed.completion.values == ["prague"]


@feature("progress")
async def reports_progress(talk: Conversation, _: RunningServer) -> None:
    reported: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        reported.append(progress)

    await talk.client.call_tool("test_tool_with_progress", progress_callback=note)
    assert reported == [0, 50, 100]


@feature("log messages, by level")
async def log_messages(talk: Conversation, _: RunningServer) -> None:
    if talk.era == "legacy":
        with pytest.warns(MCPDeprecationWarning):
            await talk.client.set_logging_level("warning")
    await talk.call("test_logging_tool")
    await heard(lambda: len(talk.heard.logged) >= 2, "log messages")
    assert [message.level for message in talk.heard.logged] == ["warning", "error"]


@feature("cancellation")
async def cancellation(talk: Conversation, _: RunningServer) -> None:
    before = int(await talk.call("test_cancelled"))
    started = asyncio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        started.set()

    waiting = asyncio.create_task(talk.client.call_tool("test_wait", progress_callback=note))
    try:
        async with asyncio.timeout(ATTEMPTS * BETWEEN):
            await started.wait()
    finally:
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
    for _attempt in range(ATTEMPTS):
        if int(await talk.call("test_cancelled")) > before:
            return
        await asyncio.sleep(BETWEEN)
    raise AssertionError("the server never heard that the call was cancelled")


@feature("elicitation by a form")
async def elicitation_form(talk: Conversation, _: RunningServer) -> None:
    assert await talk.call("test_input_required_result_elicitation") == "Hello, Ada!"
    assert [params.message for params in talk.heard.asked] == ["What is your name?"]


@feature("elicitation by a URL")
async def elicitation_url(talk: Conversation, _: RunningServer) -> None:
    assert "action=accept" in await talk.call("test_elicitation_url")
    assert [params.url for params in talk.heard.asked] == ["https://example.com/page"]


@feature("sampling")
async def sampling(talk: Conversation, _: RunningServer) -> None:
    assert await talk.call("test_input_required_result_sampling") == "The model says: Paris"


@feature("roots")
async def roots(talk: Conversation, _: RunningServer) -> None:
    assert await talk.call("test_input_required_result_list_roots") == "roots: file:///work"


@feature("several questions, in rounds")
async def rounds(talk: Conversation, _: RunningServer) -> None:
    assert await talk.call("test_input_required_result_multiple_inputs") == "everybody has answered"
    assert await talk.call("test_input_required_result_multi_round") == "Ada likes blue"
    assert await talk.call("test_input_required_result_request_state") == "state-ok"
    written = await talk.client.get_prompt("test_input_required_result_prompt")
    assert "rain" in written.messages[0].content.text  # type: ignore[union-attr]


@feature("changes of the list of tools")
async def tools_changed(talk: Conversation, _: RunningServer) -> None:
    await announced(
        talk,
        "test_trigger_tool_change",
        types.ToolListChangedNotification,
        tools_list_changed=True,
    )


@feature("changes of the list of prompts")
async def prompts_changed(talk: Conversation, _: RunningServer) -> None:
    await announced(
        talk,
        "test_trigger_prompt_change",
        types.PromptListChangedNotification,
        prompts_list_changed=True,
    )


@feature("changes of the list of resources")
async def resources_changed(talk: Conversation, _: RunningServer) -> None:
    await announced(
        talk,
        "test_trigger_resource_change",
        types.ResourceListChangedNotification,
        resources_list_changed=True,
    )


@feature("resource subscriptions")
async def resource_updates(talk: Conversation, _: RunningServer) -> None:
    if talk.era == "legacy":
        with pytest.warns(MCPDeprecationWarning):
            await talk.client.subscribe_resource(WATCHED)
    await announced(
        talk,
        "test_update_resource",
        types.ResourceUpdatedNotification,
        resource_subscriptions=[WATCHED],
    )
    if talk.era == "legacy":
        with pytest.warns(MCPDeprecationWarning):
            await talk.client.unsubscribe_resource(WATCHED)


@feature("tasks")
async def tasks(talk: Conversation, _: RunningServer) -> None:
    assert await talk.call("slow_compute", seconds=0.1) == "computed"
    assert len(talk.tasks.begun) == 1


@feature("ping")
async def ping(talk: Conversation, _: RunningServer) -> None:
    await talk.client.session.send_request(types.PingRequest(), types.EmptyResult)


@feature("a session that the server has lost")
async def lost_session(talk: Conversation, server: RunningServer) -> None:
    assert server.forget_sessions is not None
    await talk.call("test_simple_text")
    server.forget_sessions()
    assert await talk.call("test_simple_text") == "This is a simple text response for testing."
    server.forget_sessions()
    assert await talk.call("test_input_required_result_elicitation") == "Hello, Ada!"


async def announced(talk: Conversation, trigger: str, kind: type[Any], **filters: Any) -> None:
    """Make something happen until the client has heard of it."""
    if talk.era == "legacy":
        await again_until(
            talk, trigger, lambda: any(isinstance(each, kind) for each in talk.heard.notifications)
        )
        return
    async with talk.client.listen(**filters) as listening:
        told = asyncio.create_task(anext(aiter(listening)))
        try:
            await again_until(talk, trigger, told.done)
        finally:
            told.cancel()


async def again_until(talk: Conversation, trigger: str, was_heard: Callable[[], bool]) -> None:
    for _ in range(ATTEMPTS):
        await talk.call(trigger)
        await asyncio.sleep(BETWEEN)
        if was_heard():
            return
    raise AssertionError(f"what {trigger} says was never heard")


async def heard(it_was: Callable[[], bool], what: str) -> None:
    """Wait until something has arrived: a notification may come a moment after the answer."""
    for _ in range(ATTEMPTS):
        if it_was():
            return
        await asyncio.sleep(BETWEEN / 4)
    raise AssertionError(f"never heard: {what}")
