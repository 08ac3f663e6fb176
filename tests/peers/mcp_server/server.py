"""An MCP server with everything in it, of both eras, on the official SDK.

It is what the conformance suite's server scenarios ask for, and what the rows of our matrix need: each tool
that asks the client something does so in whichever way the caller's era has.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import mcp_types as types
from mcp.server.context import HandlerResult
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError
from tests.peers.mcp_server.announcements import Announcements
from tests.peers.mcp_server.call import Call, Content, Context, Counts, ToolFailed, Unanswered
from tests.peers.mcp_server.prompts import PROMPTS
from tests.peers.mcp_server.tasks import EXTENSION, Job, TaskParams, Tasks, UpdateTaskParams, require_tasks
from tests.peers.mcp_server.tools import PNG, TOOLS, WATCHED

NAME = "fixture"
EXTRA = "extra"
"""What a list has one entry more of once it has changed, each time in another version."""
Contents = types.TextResourceContents | types.BlobResourceContents
_CONTENTS: Sequence[tuple[str, str, Contents]] = (
    (
        "text",
        "A sentence",
        types.TextResourceContents(
            uri="test://static-text",
            mime_type="text/plain",
            text="This is the content of the static text resource.",
        ),
    ),
    (
        "picture",
        "A picture of one pixel",
        types.BlobResourceContents(uri="test://static-binary", mime_type="image/png", blob=PNG),
    ),
    (
        "watched",
        "What can be watched",
        types.TextResourceContents(uri=WATCHED, mime_type="text/plain", text="Something to look at."),
    ),
)
RESOURCES = {
    contents.uri: (
        types.Resource(uri=contents.uri, name=name, description=description, mime_type=contents.mime_type),
        contents,
    )
    for name, description, contents in _CONTENTS
}
TEMPLATE = types.ResourceTemplate(
    uri_template="test://template/{id}/data",
    name="data",
    description="Whatever has that id",
    mime_type="application/json",
)
CITIES = ("paris", "park", "party", "prague")
Listed = TypeVar("Listed")


class FixtureServer:
    """The server; `page` is how many entries it gives at once, and None gives all."""

    def __init__(self, name: str = NAME, *, page: int | None = None) -> None:
        self.announcements = Announcements()
        self.counts = Counts()
        self._changes: Counter[str] = Counter()
        self._tasks = Tasks()
        self._page = page
        self.sdk: Server[Any] = Server(
            name,
            version="1.0",
            instructions="Everything that a server can do, to try a client with.",
            on_list_tools=self._list_tools,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
            on_subscribe_resource=self.announcements.watch,
            on_unsubscribe_resource=self.announcements.unwatch,
            on_subscriptions_listen=ListenHandler(self.announcements),
            on_completion=self._complete,
            get_tool_input_schema=lambda tool: TOOLS[tool].listed.input_schema if tool in TOOLS else None,
        )
        self.sdk.add_request_handler(
            "logging/setLevel", types.SetLevelRequestParams, self.announcements.set_level
        )
        self.sdk.extensions[EXTENSION] = {}
        self.sdk.add_request_handler("tools/call", types.CallToolRequestParams, self._call_tool)
        self.sdk.add_request_handler("tasks/get", TaskParams, self._tasks.get)
        self.sdk.add_request_handler("tasks/update", UpdateTaskParams, self._tasks.update)
        self.sdk.add_request_handler("tasks/cancel", TaskParams, self._tasks.cancel)
        self.sdk.add_notification_handler(
            "notifications/initialized", types.NotificationParams, self.announcements.initialized
        )
        self.sdk.middleware.append(
            RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=name)
        )

    async def _list_tools(
        self, _: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        listed = [tool.listed for tool in TOOLS.values()]
        if version := self._changes["tools"]:
            schema = {"type": "object"}
            listed.append(types.Tool(name=EXTRA, description=f"Version {version}", input_schema=schema))
        tools, cursor = self._paged(listed, params)
        return types.ListToolsResult(tools=tools, next_cursor=cursor)

    async def _call_tool(self, context: Context, params: types.CallToolRequestParams) -> HandlerResult:
        call, tool = self._call(context, params), TOOLS.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name!r}")
        try:
            content = await tool.work(call)
            if isinstance(content, Job):
                if content.needs_tasks:
                    require_tasks(call.capabilities)
                if EXTENSION in (call.capabilities.extensions or {}):
                    return self._tasks.begin(call, content, shaped)
                content = await content.work(call)
        except ToolFailed as failed:
            return shaped(str(failed)).model_copy(update={"is_error": True})
        except Unanswered as open_:
            return types.InputRequiredResult(input_requests=dict(open_.questions), request_state=open_.state)
        return shaped(content)

    async def _list_prompts(
        self, _: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        listed = [prompt for prompt, _ in PROMPTS.values()]
        if version := self._changes["prompts"]:
            listed.append(types.Prompt(name=EXTRA, description=f"Version {version}"))
        prompts, cursor = self._paged(listed, params)
        return types.ListPromptsResult(prompts=prompts, next_cursor=cursor)

    async def _get_prompt(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult | types.InputRequiredResult:
        if params.name not in PROMPTS:
            raise MCPError(types.INVALID_PARAMS, f"there is no prompt {params.name!r}")
        listed, write = PROMPTS[params.name]
        try:
            messages = await write(self._call(context, params))
        except Unanswered as open_:
            return types.InputRequiredResult(input_requests=dict(open_.questions), request_state=open_.state)
        return types.GetPromptResult(description=listed.description, messages=messages)

    async def _list_resources(
        self, _: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        listed = [resource for resource, _ in RESOURCES.values()]
        if version := self._changes["resources"]:
            uri = f"test://{EXTRA}"
            listed.append(types.Resource(uri=uri, name=EXTRA, description=f"Version {version}"))
        resources, cursor = self._paged(listed, params)
        return types.ListResourcesResult(resources=resources, next_cursor=cursor)

    async def _list_templates(
        self, _: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=[TEMPLATE])

    async def _read_resource(
        self, _: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        uri = str(params.uri)
        if uri in RESOURCES:
            return types.ReadResourceResult(contents=[RESOURCES[uri][1]])
        if match := re.fullmatch(r"test://template/([^/]+)/data", uri):
            data = json.dumps({"id": match[1], "templateTest": True, "data": f"Data for ID: {match[1]}"})
            contents = types.TextResourceContents(uri=uri, mime_type="application/json", text=data)
            return types.ReadResourceResult(contents=[contents])
        raise MCPError(types.INVALID_PARAMS, "there is no such resource", {"uri": uri})

    async def _complete(self, _: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        values = [city for city in CITIES if city.startswith(params.argument.value)]
        completion = types.Completion(values=values, total=len(values), has_more=False)
        return types.CompleteResult(completion=completion)

    def _call(
        self, context: Context, params: types.CallToolRequestParams | types.GetPromptRequestParams
    ) -> Call:
        return Call(
            context,
            params.arguments or {},
            params.input_responses or {},
            params.request_state,
            self.announcements,
            self.counts,
            self._changes,
        )

    def _paged(
        self, entries: Sequence[Listed], params: types.PaginatedRequestParams | None
    ) -> tuple[list[Listed], str | None]:
        if self._page is None:
            return list(entries), None
        begin = int(params.cursor) if params is not None and params.cursor else 0
        end = begin + self._page
        return list(entries[begin:end]), str(end) if end < len(entries) else None


def shaped(content: Content | str) -> types.CallToolResult:
    """The result with this content."""
    if isinstance(content, str):
        content = [types.TextContent(type="text", text=content)]
    return types.CallToolResult(content=content)
