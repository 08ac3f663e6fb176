"""The fixture's prompts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import mcp_types as types
from tests.peers.mcp_server.call import Call
from tests.peers.mcp_server.tools import embedded, form, image, takes, text

Messages = list[types.PromptMessage]
Write = Callable[[Call], Awaitable[Messages]]

PROMPTS: dict[str, tuple[types.Prompt, Write]] = {}


def prompt(name: str, description: str, *arguments: str) -> Callable[[Write], Write]:
    """Put a function among the prompts; arguments: the names of those it must be given."""

    def add(write: Write) -> Write:
        required = [types.PromptArgument(name=argument, required=True) for argument in arguments]
        PROMPTS[name] = (types.Prompt(name=name, description=description, arguments=required), write)
        return write

    return add


def said(*content: types.ContentBlock) -> Messages:
    return [types.PromptMessage(role="user", content=block) for block in content]


@prompt("test_simple_prompt", "One sentence.")
async def simple(_: Call) -> Messages:
    return said(text("This is a simple prompt for testing."))


@prompt("test_prompt_with_arguments", "A sentence with two arguments.", "arg1", "arg2")
async def with_arguments(call: Call) -> Messages:
    return said(text("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'".format(**call.arguments)))


@prompt("test_prompt_with_embedded_resource", "A resource, whole.", "resourceUri")
async def with_embedded_resource(call: Call) -> Messages:
    resource = embedded(call.arguments["resourceUri"], "text/plain", "Embedded resource content for testing.")
    return said(resource, text("Please process the embedded resource above."))


@prompt("test_prompt_with_image", "A picture.")
async def with_image(_: Call) -> Messages:
    return said(image(), text("Please analyze the image above."))


@prompt("test_input_required_result_prompt", "Asks a person before it is written.")
async def with_question(call: Call) -> Messages:
    question = form("What context should the prompt use?", takes(context={"type": "string"}))
    answers = await call.ask({"user_context": question})
    return said(text(f"Bear in mind: {(answers['user_context'].content or {}).get('context')}"))
