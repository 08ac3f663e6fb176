"""The fixture's tools: what a scenario of the conformance suite or a row of our matrix calls.

    content    what a tool may answer with, and its errors
    reports    log messages and progress while it works
    questions  what it asks the client, in whichever way the caller's era has
    changes    what it does to the server's lists and resources
    time       calls that take long, that are cancelled, or whose stream is cut
    tasks      calls that go on after their answer

A tool is a function from a call to content. It asks with `Call.ask`, and never minds the era.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ToolsListChanged,
)
from tests.peers.mcp_server.call import Call, Content, ToolFailed
from tests.peers.mcp_server.tasks import Job, job

Schema = dict[str, Any]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
WATCHED = "test://watched-resource"
PAUSE = 0.05
"""Seconds between two reports of a tool."""


Work = Callable[[Call], Awaitable[Content | str | Job]]


@dataclass(frozen=True)
class FixtureTool:
    """A tool as it is listed, and what it does."""

    listed: types.Tool
    work: Work


TOOLS: dict[str, FixtureTool] = {}


def tool(name: str, description: str, schema: Schema | None = None) -> Callable[[Work], Work]:
    """Put a function among the tools."""

    def add(work: Work) -> Work:
        listed = types.Tool(
            name=name, description=description, input_schema=schema or {"type": "object", "properties": {}}
        )
        TOOLS[name] = FixtureTool(listed, work)
        return work

    return add


def takes(**properties: Schema) -> Schema:
    """An object with these properties, each of them required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def text(value: str) -> types.TextContent:
    return types.TextContent(type="text", text=value)


def image() -> types.ImageContent:
    return types.ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, mime_type: str, value: str) -> types.EmbeddedResource:
    contents = types.TextResourceContents(uri=uri, mime_type=mime_type, text=value)
    return types.EmbeddedResource(type="resource", resource=contents)


# content


@tool("test_simple_text", "Answers with a sentence.")
async def simple_text(_: Call) -> str:
    return "This is a simple text response for testing."


@tool("test_image_content", "Answers with a picture of one pixel.")
async def image_content(_: Call) -> Content:
    return [image()]


@tool("test_audio_content", "Answers with a moment of silence.")
async def audio_content(_: Call) -> Content:
    return [types.AudioContent(type="audio", data=WAV, mime_type="audio/wav")]


@tool("test_embedded_resource", "Answers with a resource, whole.")
async def embedded_resource(_: Call) -> Content:
    return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


@tool("test_multiple_content_types", "Answers with a text, a picture and a resource.")
async def multiple_content_types(_: Call) -> Content:
    data = json.dumps({"test": "data", "value": 123})
    return [
        text("Multiple content types test:"),
        image(),
        embedded("test://mixed-content-resource", "application/json", data),
    ]


@tool("test_error_handling", "Always fails.")
async def error_handling(_: Call) -> str:
    raise ToolFailed("This tool intentionally returns an error for testing")


REGION = {"type": "string", "description": "Where", "x-mcp-header": "Region"}


@tool(
    "test_x_mcp_header",
    "Says the region, which also travels as a header.",
    {"type": "object", "properties": {"region": REGION}},
)
async def x_mcp_header(call: Call) -> str:
    return f"region: {call.arguments.get('region', 'none')}"


SCHEMA_2020_12 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


@tool("json_schema_2020_12_tool", "Is listed with a schema of many keywords.", SCHEMA_2020_12)
async def json_schema(_: Call) -> str:
    return "the schema is what counts"


@tool("test_missing_capability", "Works for clients alone that declare sampling.")
async def missing_capability(call: Call) -> str:
    if call.capabilities.sampling is None:
        raise MCPError(
            types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            "declare the capability 'sampling' to call this tool",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return "sampling was declared"


# reports


@tool("test_tool_with_logging", "Logs three messages while it works.")
async def tool_with_logging(call: Call) -> str:
    for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await call.log("info", message)
        await asyncio.sleep(PAUSE)
    return "logged three times"


@tool("test_logging_tool", "Logs one message of each level.")
async def logging_tool(call: Call) -> str:
    for level in ("debug", "info", "warning", "error"):
        await call.log(level, f"a message of level {level}")
    return "logged at four levels"


@tool("test_tool_with_progress", "Reports its progress while it works.")
async def tool_with_progress(call: Call) -> str:
    for done in (0, 50, 100):
        await call.context.session.report_progress(done, 100, f"{done} of 100")
        await asyncio.sleep(PAUSE)
    return "progress was reported three times"


# questions


def form(message: str, schema: Schema) -> types.ElicitRequest:
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def to_model(prompt: str, most_tokens: int = 100) -> types.CreateMessageRequest:
    said = types.SamplingMessage(role="user", content=text(prompt))
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[said], max_tokens=most_tokens)
    )


def told(result: types.ElicitResult) -> str:
    return f"action={result.action}, content={json.dumps(result.content or {}, sort_keys=True)}"


NAME = takes(name={"type": "string"})
CONFIRMED = takes(ok={"type": "boolean"})


@tool(
    "test_elicitation", "Asks a person, as servers before 2026-07-28 do.", takes(message={"type": "string"})
)
async def elicitation(call: Call) -> str:
    schema = takes(username={"type": "string"}, email={"type": "string"})
    return f"User response: {told(await call.demand(form(call.arguments['message'], schema)))}"


@tool("test_sampling", "Asks a model, as servers before 2026-07-28 do.", takes(prompt={"type": "string"}))
async def sampling(call: Call) -> str:
    result = await call.demand(to_model(call.arguments["prompt"]))
    return f"LLM response: {result.content.text}"


@tool("test_roots", "Says which roots the client has, as servers before 2026-07-28 do.")
async def roots(call: Call) -> str:
    found = await call.demand(types.ListRootsRequest())
    return f"roots: {', '.join(str(root.uri) for root in found.roots)}"


@tool("test_elicitation_url", "Sends a person to a page.")
async def elicitation_url(call: Call) -> str:
    page = types.ElicitRequestURLParams(
        message="Please open the page",
        url="https://example.com/page",
        elicitation_id=None if call.is_modern else "page-1",
    )
    answers = await call.ask({"page": types.ElicitRequest(params=page)})
    return f"page: {told(answers['page'])}"


@tool("test_elicitation_sep1034_defaults", "Asks a person, with a default in each field.")
async def elicitation_defaults(call: Call) -> str:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": True},
        },
        "required": [],
    }
    answers = await call.ask({"person": form("Please review the fields", schema)})
    return f"Elicitation completed: {told(answers['person'])}"


@tool("test_elicitation_sep1330_enums", "Asks a person to choose, in each way that there is.")
async def elicitation_enums(call: Call) -> str:
    titled = [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]
    plain = {"type": "string", "enum": ["option1", "option2", "option3"]}
    named = {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]}
    schema = takes(
        untitledSingle=plain,
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum=named,
        untitledMulti={"type": "array", "items": plain},
        titledMulti={"type": "array", "items": {"anyOf": titled}},
    )
    answers = await call.ask({"person": form("Please choose", schema)})
    return f"Elicitation completed: {told(answers['person'])}"


@tool("test_streaming_elicitation", "Asks a person for a word.")
async def streaming_elicitation(call: Call) -> str:
    answers = await call.ask({"word": form("Please say a word", takes(word={"type": "string"}))})
    return told(answers["word"])


@tool("test_input_required_result_elicitation", "Asks for a name, and greets.")
async def ask_name(call: Call) -> str:
    answers = await call.ask({"user_name": form("What is your name?", NAME)})
    return f"Hello, {(answers['user_name'].content or {}).get('name', 'whoever you are')}!"


@tool("test_input_required_result_sampling", "Asks a model for a capital.")
async def ask_model(call: Call) -> str:
    answers = await call.ask({"capital_question": to_model("What is the capital of France?")})
    return f"The model says: {answers['capital_question'].content.text}"


@tool("test_input_required_result_list_roots", "Asks for the client's roots.")
async def ask_roots(call: Call) -> str:
    answers = await call.ask({"client_roots": types.ListRootsRequest()})
    return f"roots: {', '.join(str(root.uri) for root in answers['client_roots'].roots)}"


@tool("test_input_required_result_request_state", "Asks, and expects its state back.")
async def ask_with_state(call: Call) -> str:
    await call.ask({"confirm": form("Please confirm", CONFIRMED)}, state="asked once")
    if call.is_modern and call.state != "asked once":
        raise MCPError(types.INVALID_PARAMS, "this is not the state that was given out")
    return "state-ok"


@tool("test_input_required_result_tampered_state", "Asks, with a state that nobody may change.")
async def ask_with_sealed_state(call: Call) -> str:
    await call.ask({"confirm": form("Please confirm", CONFIRMED)}, state="sealed")
    return f"state-ok: {call.state}"


@tool("test_input_required_result_multiple_inputs", "Asks a person, a model and the client at once.")
async def ask_all(call: Call) -> str:
    await call.ask(
        {
            "user_name": form("What is your name?", NAME),
            "greeting": to_model("Generate a greeting", 50),
            "client_roots": types.ListRootsRequest(),
        },
        state="asked all",
    )
    return "everybody has answered"


@tool("test_input_required_result_multi_round", "Asks for a name, then for a colour.")
async def ask_twice(call: Call) -> str:
    known = json.loads(call.state) if call.state else {}
    if "name" not in known:
        first = form("Step 1: What is your name?", NAME)
        answers = await call.ask({"step1": first}, state="{}")
        known = {"name": (answers["step1"].content or {}).get("name")}
    second = form("Step 2: What is your favorite color?", takes(color={"type": "string"}))
    answers = await call.ask({"step2": second}, state=json.dumps(known))
    return f"{known['name']} likes {(answers['step2'].content or {}).get('color')}"


@tool("test_input_required_result_capabilities", "Asks whatever the client can be asked.")
async def ask_what_is_possible(call: Call) -> str:
    questions: dict[str, types.InputRequest] = {}
    if call.capabilities.elicitation is not None:
        questions["person"] = form("What is your name?", NAME)
    if call.capabilities.sampling is not None:
        questions["model"] = to_model("Say hello", 50)
    if call.capabilities.roots is not None:
        questions["roots"] = types.ListRootsRequest()
    if not questions:
        return "this client cannot be asked"
    return f"answered: {', '.join(sorted(await call.ask(questions, state='possible')))}"


# changes


@tool("test_trigger_tool_change", "Changes the list of tools, and says so.")
async def change_tools(call: Call) -> str:
    call.changes["tools"] += 1
    await call.announcements.publish(ToolsListChanged())
    return "tools changed"


@tool("test_trigger_prompt_change", "Changes the list of prompts, and says so.")
async def change_prompts(call: Call) -> str:
    call.changes["prompts"] += 1
    await call.announcements.publish(PromptsListChanged())
    return "prompts changed"


@tool("test_trigger_resource_change", "Changes the list of resources, and says so.")
async def change_resources(call: Call) -> str:
    call.changes["resources"] += 1
    await call.announcements.publish(ResourcesListChanged())
    return "resources changed"


@tool("test_update_resource", "Says that the watched resource has changed.")
async def update_resource(call: Call) -> str:
    await call.announcements.publish(ResourceUpdated(uri=WATCHED))
    return "resource updated"


# time


@tool("test_wait", "Never ends, unless it is cancelled.")
async def wait(call: Call) -> str:
    await call.context.session.report_progress(0, 1, "waiting")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        call.counts.cancelled += 1
        raise
    raise AssertionError("nobody sets that event")


@tool("test_cancelled", "How many calls were cancelled.")
async def cancelled(call: Call) -> str:
    return str(call.counts.cancelled)


@tool("test_reconnection", "Cuts its own stream, and goes on (SEP-1699).")
async def reconnection(call: Call) -> str:
    if call.context.close_sse_stream is not None:
        await call.context.close_sse_stream()
    await asyncio.sleep(4 * PAUSE)
    return "the client came back for this"


# tasks


@tool("greet", "Greets, at once.", takes(name={"type": "string"}))
async def greet(call: Call) -> str:
    return f"Hello, {call.arguments['name']}!"


@tool("slow_compute", "Takes so many seconds.", takes(seconds={"type": "number"}))
@job
async def slow_compute(call: Call) -> str:
    await asyncio.sleep(call.arguments.get("seconds", 0))
    return "computed"


@tool("failing_job", "Fails after a while, as a task and never at once.")
async def failing_job(_: Call) -> Job:
    async def fail(_: Call) -> str:
        await asyncio.sleep(PAUSE)
        raise ToolFailed("this job always fails")

    return Job(fail, needs_tasks=True)


@tool("protocol_error_job", "Ends with an error of the protocol.")
@job
async def protocol_error_job(_: Call) -> str:
    await asyncio.sleep(PAUSE)
    raise MCPError(types.INTERNAL_ERROR, "this job breaks")


@tool("confirm_delete", "Asks before it deletes.", takes(filename={"type": "string"}))
@job
async def confirm_delete(call: Call) -> str:
    answers = await call.ask({"confirm": form(f"Delete {call.arguments.get('filename')}?", CONFIRMED)})
    return f"deleted: {sorted(answers)}"


@tool("multi_input", "Asks two persons at once.")
@job
async def multi_input(call: Call) -> str:
    answers = await call.ask({"first": form("Who are you?", NAME), "second": form("And you?", NAME)})
    return f"answered: {sorted(answers)}"


@tool("test_tool_with_task", "Asks for a name, then works on.")
async def question_then_task(call: Call) -> Job:
    answers = await call.ask({"user_name": form("What is your name?", NAME)})
    name = (answers["user_name"].content or {}).get("name")

    async def greet(_: Call) -> str:
        await asyncio.sleep(PAUSE)
        return f"Hello, {name}!"

    return Job(greet, needs_tasks=True)
