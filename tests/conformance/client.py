"""The client that the MCP conformance suite drives: our credentials, and the official SDK.

    conformance client --command "python tests/conformance/client.py" --requirements 2026-07-28

The suite starts it once for each scenario, with the server's URL as the last argument and in the environment
MCP_CONFORMANCE_SCENARIO, MCP_CONFORMANCE_PROTOCOL_VERSION and, as JSON, MCP_CONFORMANCE_CONTEXT.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import mcp
import mcp_types as types
from mcp.client.context import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ostiary.credentials import (
    Bearer,
    ClientCredentials,
    Credential,
    IdJag,
    NoCredential,
    OAuthUser,
    WorkloadJwt,
)
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.id_jag import IdpSettings
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.vault.file_vault import FileVault
from ostiary.oauth.canonical_url import canonical_url
from ostiary.secrets import Secret
from ostiary.transport.reach import PUBLIC

METADATA_DOCUMENT = "https://conformance-test.local/client-metadata.json"
"""Where the suite expects the client to describe itself."""
ANY_OF_TYPE: dict[str | None, Any] = {
    "integer": 0, "number": 0, "boolean": False, "object": {}, "array": [], "null": None,
}  # fmt: skip

SCENARIO = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
CONTEXT: dict[str, Any] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
VERSION = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "")


async def follow_redirect(url: str) -> None:
    """A browser whose person allows everything: goes where it is sent, and from there back to us."""
    async with aiohttp.ClientSession() as session, session.get(url) as page:
        await page.read()


def client_credentials_basic(directory: Path, issuer: str) -> Credential:
    """A name and a secret."""
    return ClientCredentials(
        client_id=CONTEXT["client_id"], client_secret=Secret(CONTEXT["client_secret"]), issuer=issuer
    )


def client_credentials_jwt(directory: Path, issuer: str) -> Credential:
    """A key."""
    return ClientCredentials(
        client_id=CONTEXT["client_id"],
        auth_method="private_key_jwt",
        private_key=Secret(CONTEXT["private_key_pem"]),
        algorithm=CONTEXT["signing_algorithm"],
    )


def enterprise_managed(directory: Path, issuer: str) -> Credential:
    """The word of the company's IdP."""
    return IdJag(
        issuer=issuer,
        client_id=CONTEXT["client_id"],
        client_secret=Secret(CONTEXT["client_secret"]),
        subject=Bearer(token=Secret(CONTEXT["idp_id_token"])),
        idp=IdpSettings(
            token_url=canonical_url(CONTEXT["idp_token_endpoint"]), client_id=CONTEXT["idp_client_id"]
        ),
    )


def workload(directory: Path, issuer: str) -> Credential:
    """The platform's token, in a file."""
    token = directory / "workload.jwt"
    token.write_text(CONTEXT["valid_jwt"])
    return WorkloadJwt(file=token, use="jwt_bearer", client_id=CONTEXT["client_id"])


def registered_person(directory: Path, issuer: str) -> Credential:
    """A person, and a client that was registered by hand."""
    return OAuthUser(
        issuer=CONTEXT["issuer"],
        client_id=CONTEXT["client_id"],
        client_secret=Secret(CONTEXT["client_secret"]),
    )


def person(directory: Path, issuer: str) -> Credential:
    """A person, and whichever client the server takes."""
    return OAuthUser(client_id_metadata_document=METADATA_DOCUMENT)


def nothing(directory: Path, issuer: str) -> Credential:
    """What has nothing to do with authorization needs no credential."""
    return NoCredential()


CREDENTIALS: dict[str, Callable[[Path, str], Credential]] = {
    "auth/client-credentials-basic": client_credentials_basic,
    "auth/client-credentials-jwt": client_credentials_jwt,
    "auth/enterprise-managed-authorization": enterprise_managed,
    "auth/pre-registration": registered_person,
    "auth/wif-jwt-bearer": workload,
}


TO_AN_ISSUER = (client_credentials_basic, enterprise_managed)
"""Those that show a secret, to an issuer that the suite does not tell."""


async def the_servers_issuer(url: str, runtime: Runtime) -> str:
    """What `ostiary doctor` finds; the suite is trusted, as its operator is here."""
    return (await runtime.discoveries.find(None, canonical_url(url), PUBLIC)).issuer


async def accept(
    context: ClientRequestContext, params: types.ElicitRequestParams
) -> types.ElicitResult | types.ErrorData:
    """Say yes to whatever is asked, with the defaults that the server gives."""
    properties = getattr(params, "requested_schema", {}).get("properties", {})
    given = {name: field["default"] for name, field in properties.items() if "default" in field}
    if "confirmed" in properties:
        given["confirmed"] = True
    return types.ElicitResult(action="accept", content=given)


async def sample(
    context: ClientRequestContext, params: types.CreateMessageRequestParams
) -> types.CreateMessageResult | types.ErrorData:
    """A model that has nothing to say."""
    return types.CreateMessageResult(
        role="assistant", content=types.TextContent(type="text", text=""), model="none"
    )


async def roots(context: ClientRequestContext) -> types.ListRootsResult | types.ErrorData:
    """No folder is ours to show."""
    return types.ListRootsResult(roots=[])


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[mcp.Client]:
    """The SDK's client, with the scenario's credential on each of its requests."""
    modern = VERSION in MODERN_PROTOCOL_VERSIONS and SCENARIO != "json-schema-ref-no-deref"
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with Runtime(browser=follow_redirect, vault=FileVault(directory)) as runtime:
            credential = CREDENTIALS.get(SCENARIO, person if SCENARIO.startswith("auth/") else nothing)
            issuer = await the_servers_issuer(url, runtime) if credential in TO_AN_ISSUER else ""
            auth = CredentialAuth(credential(directory, issuer), server_url=url, runtime=runtime)
            async with (
                httpx2.AsyncClient(auth=auth, timeout=30) as http,
                mcp.Client(
                    streamable_http_client(url, http_client=http),
                    mode="auto" if modern else "legacy",
                    elicitation_callback=accept,
                    sampling_callback=sample,
                    list_roots_callback=roots,
                ) as client,
            ):
                yield client


async def call(client: mcp.Client, *calls: tuple[str, dict[str, Any]]) -> None:
    """List the tools, then call these."""
    await client.list_tools()
    for name, arguments in calls:
        await client.call_tool(name, arguments)


async def call_first(client: mcp.Client) -> None:
    """List the tools, and call the first: what scenarios of authorization look at."""
    listed = await client.list_tools()
    if listed.tools:
        await client.call_tool(listed.tools[0].name, {})


async def call_every(client: mcp.Client) -> None:
    """Call each tool that the SDK lets through."""
    for tool in (await client.list_tools()).tools:
        with contextlib.suppress(mcp.MCPError):
            await client.call_tool(tool.name, arguments_for(tool))


async def call_as_told(client: mcp.Client) -> None:
    """Call what the suite says, where the SDK lets it through."""
    listed = {tool.name for tool in (await client.list_tools()).tools}
    for one in CONTEXT.get("toolCalls", []):
        if one["name"] in listed:
            with contextlib.suppress(mcp.MCPError):
                await client.call_tool(one["name"], one.get("arguments") or {})


async def one_of_each(client: mcp.Client) -> None:
    """A tool, a resource and a prompt."""
    await call_every(client)
    for resource in (await client.list_resources()).resources[:1]:
        await client.read_resource(resource.uri)
    for prompt in (await client.list_prompts()).prompts[:1]:
        await client.get_prompt(prompt.name)


async def echo_schema(client: mcp.Client) -> None:
    """Say back what came as the schema of a tool."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    schema = tools["json_schema_2020_12_tool"].input_schema
    await client.call_tool("json_schema_echo", {"schema": schema})


def arguments_for(tool: types.Tool) -> dict[str, Any]:
    """The fewest arguments that the tool's schema takes."""
    properties = tool.input_schema.get("properties", {})
    return {
        name: ANY_OF_TYPE.get(properties.get(name, {}).get("type"), "x")
        for name in tool.input_schema.get("required", [])
    }


ADD = ("add_numbers", {"a": 5, "b": 3})
STATES = ("echo_state", "unrelated", "no_state", "no_result_type")
Conversation = Callable[[mcp.Client], Awaitable[None]]
CONVERSATIONS: dict[str, Conversation] = {
    "initialize": call,
    "json-schema-ref-no-deref": call,
    "json-schema-2020-12-preservation": echo_schema,
    "tools_call": lambda client: call(client, ADD),
    "request-metadata": lambda client: call(client, ADD),
    "sse-retry": lambda client: call(client, ("test_reconnection", {})),
    "elicitation-sep1034-client-defaults": lambda client: call(
        client, ("test_client_elicitation_defaults", {})
    ),
    "sep-2322-client-request-state": lambda client: call(
        client, *((f"test_mrtr_{state}", {}) for state in STATES)
    ),
    "http-standard-headers": one_of_each,
    "http-invalid-tool-headers": call_every,
    "http-custom-headers": call_as_told,
}


async def main(url: str) -> None:
    """Hold the scenario's conversation."""
    async with connected(url) as client:
        await CONVERSATIONS.get(SCENARIO, call_first)(client)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[-1]))
