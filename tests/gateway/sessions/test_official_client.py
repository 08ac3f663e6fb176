"""The official client, which shakes hands, before a gateway whose servers know no handshake."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from mcp import MCPError
from tests.gateway.sessions.conftest import Person, eventually, legacy_client

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller
    from tests.gateway.sessions.conftest import Workshop

pytestmark = [
    pytest.mark.parametrize("era", ["modern", "legacy", "either"]),
    pytest.mark.parametrize("path", ["/mcp", "/servers/w/mcp"]),
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]


def said(result: types.CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, types.TextContent))


def name(path: str, tool: str) -> str:
    return f"w_{tool}" if path == "/mcp" else tool


async def test_it_gets_in(gateway: Caller, path: str) -> None:
    async with legacy_client(gateway.origin + path, Person()) as client:
        assert client.protocol_version == "2025-11-25"
        assert client.server_info is not None
        assert client.server_info.name == ("ostiary" if path == "/mcp" else "workshop")
        assert "Ask nicely." in (client.instructions or "")
        await client.send_ping()
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} >= {name(path, "add"), name(path, "greet")}
        result = await client.call_tool(name(path, "add"), {"one": 1, "two": 2})
        assert (said(result), result.structured_content) == ("3", {"result": 3})


async def test_it_reads_resources_prompts_and_completions(gateway: Caller, path: str) -> None:
    async with legacy_client(gateway.origin + path, Person()) as client:
        (resource,) = (await client.list_resources()).resources
        (content,) = (await client.read_resource(str(resource.uri))).contents
        assert isinstance(content, types.TextResourceContents)
        assert content.text == "the first note"
        (prompt,) = (await client.list_prompts()).prompts
        (message,) = (await client.get_prompt(prompt.name, {"about": "keys"})).messages
        assert isinstance(message.content, types.TextContent)
        assert message.content.text == "Write about keys"
        reference = types.PromptReference(type="ref/prompt", name=prompt.name)
        completed = await client.complete(reference, {"name": "about", "value": "key"})
        assert completed.completion.values == ["keys"]


async def test_it_hears_of_progress_and_of_what_is_logged(gateway: Caller, path: str) -> None:
    person, noted = Person(), list[tuple[float, float | None]]()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        noted.append((progress, total))

    async with legacy_client(gateway.origin + path, person) as client:
        result = await client.call_tool(name(path, "work"), {}, progress_callback=note)
        assert said(result) == "done"
        await eventually(lambda: len(noted) == 3 and len(person.logged) == 1)
        assert (noted, person.logged) == ([(1, 3), (2, 3), (3, 3)], ["half done"])
        await client.set_logging_level("debug")
        await client.call_tool(name(path, "work"), {})
        await eventually(lambda: person.logged == ["half done", "half done", "screws are loose"])


@pytest.mark.parametrize(
    ("tool", "answer"), [("greet", "Hello Ada"), ("cheese", "cheese"), ("folders", "file:///work")]
)
async def test_it_is_asked_what_the_server_wants_to_know(
    gateway: Caller, path: str, tool: str, answer: str
) -> None:
    async with legacy_client(gateway.origin + path, Person()) as client:
        assert said(await client.call_tool(name(path, tool), {})) == answer


async def test_what_it_takes_back_is_cancelled_at_the_server(
    gateway: Caller, path: str, workshop: Workshop
) -> None:
    async with legacy_client(gateway.origin + path, Person()) as client:
        calling = asyncio.create_task(client.call_tool(name(path, "hang"), {}))
        await workshop.begun.wait()
        calling.cancel()
        async with asyncio.timeout(5):
            await workshop.cancelled.wait()
        assert said(await client.call_tool(name(path, "add"), {"one": 1, "two": 1})) == "2"


async def test_an_error_is_read_and_the_session_goes_on(gateway: Caller, path: str) -> None:
    async with legacy_client(gateway.origin + path, Person()) as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource("w+note://nothing" if path == "/mcp" else "note://nothing")
        assert refused.value.error.code == -32002
        with pytest.raises(MCPError) as refused:
            await client.session.send_request(
                types.Request[Any, Any](method="tools/burn", params=None), types.EmptyResult
            )
        assert refused.value.error.code == -32601
        await client.send_ping()


async def test_a_server_with_sessions_asks_what_it_can_ask_in_a_session_alone(
    gateway: Caller, path: str, era: str
) -> None:
    async with legacy_client(gateway.origin + path, Person()) as client:
        calling = client.call_tool(name(path, "greet_in_a_session"), {})
        if era == "modern":
            with pytest.raises(MCPError, match="no back-channel"):
                await calling
        else:
            assert said(await calling) == "Hello Ada"
