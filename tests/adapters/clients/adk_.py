"""An agent of Google's ADK, whose model is a script: it calls the tool, then ends its turn.

The second argument says which credential: `default`, `key FILE`, or ADK's own model of one of these:
`account`, `account-key FILE`. What ends a turn early is its result, too.
"""

import asyncio
import json
import pickle
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from conversation import ARGUMENTS, TOOL, URL, converse, runtime
from google.adk.agents import LlmAgent
from google.adk.auth.auth_credential import ServiceAccount, ServiceAccountCredential
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import InMemoryRunner
from google.genai.types import Content, FunctionCall, Part

from ostiary.credentials import GoogleIdToken
from ostiary.credentials.adapters.adk import from_service_account, mcp_toolset

ORIGIN = URL.removesuffix("/mcp")


class Script(BaseLlm):
    """Calls the tool when a person speaks, and falls silent when it hears the result."""

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        said = llm_request.contents[-1].parts[-1]
        call = Part(function_call=FunctionCall(name=TOOL, args=ARGUMENTS))
        part = Part(text="Done.") if said.function_response else call
        yield LlmResponse(content=Content(role="model", parts=[part]))


def the_credential(kind: str, *key_file: str) -> Any:
    match kind:
        case "default":
            return GoogleIdToken()
        case "key":
            return GoogleIdToken(key_file=key_file[0])
        case "account":
            account = ServiceAccount(use_default_credential=True, use_id_token=True, audience=ORIGIN)
            return from_service_account(account)
    key = ServiceAccountCredential.model_validate(json.loads(Path(key_file[0]).read_text()))
    account = ServiceAccount(service_account_credential=key, use_id_token=True, audience=ORIGIN)
    return from_service_account(account)


async def main() -> None:
    toolset = mcp_toolset(URL, the_credential(*sys.argv[2:]), runtime=runtime)
    if "account" in sys.argv:
        toolset = pickle.loads(pickle.dumps(toolset))  # as ADK does to deploy an agent
    agent = LlmAgent(name="guide", model=Script(model="script"), tools=[toolset])
    async with InMemoryRunner(agent) as runner:
        session = await runner.session_service.create_session(app_name=runner.app_name, user_id="visitor")

        async def turn() -> list[Any]:
            asked = Content(role="user", parts=[Part(text="Who lives with the penguins?")])
            heard: list[Any] = []
            try:
                async for event in runner.run_async(
                    user_id="visitor", session_id=session.id, new_message=asked
                ):
                    heard += [(answer.name, answer.response) for answer in event.get_function_responses()]
                    heard += [call.name for call in event.get_function_calls() if call.name != TOOL]
            except Exception as error:
                heard.append(f"{type(error).__name__}: {error}")
            return heard

        await converse(turn)


asyncio.run(main())
