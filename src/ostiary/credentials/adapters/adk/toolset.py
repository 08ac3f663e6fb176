"""ADK's McpToolset with a credential below its MCP sessions.

ADK's own `auth_credential` fixes a token for a session's life, opens a new session for a new token, and asks
the end user for consent where there is nobody to ask. Here the HTTP client adds the credential to each
request. And when the tools cannot be listed for want of a credential, the agent's run ends with that error:
ADK would only log it, and let the model say that it has no tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
from google.adk.tools.mcp_tool import McpToolset
from google.adk.tools.mcp_tool.mcp_session_manager import StreamableHTTPConnectionParams

from ostiary.credentials.adapters.answering_client import AnsweringClient
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.error import CredentialError

if TYPE_CHECKING:
    from ostiary.credentials import Credential
    from ostiary.credentials.runtime import Runtime


def mcp_toolset(
    url: str, credential: Credential, *, runtime: Runtime | None = None, **options: Any
) -> CredentialToolset:
    """The tools of the MCP server at this URL, for an agent's `tools`.

    options: those of `McpToolset` and of `StreamableHTTPConnectionParams`, by their own names.
    runtime: shared with other adapters of the same event loop.
    """
    return CredentialToolset(url, credential, runtime, options)


class CredentialToolset(McpToolset):  # type: ignore[misc]  # ADK is not there when types are checked
    """An McpToolset whose every HTTP request has a credential. Made by `mcp_toolset`."""

    def __init__(
        self, url: str, credential: Credential, runtime: Runtime | None, options: dict[str, Any]
    ) -> None:
        self._auth = CredentialAuth(credential, server_url=url, runtime=runtime)
        self._made_of = (url, credential, None, options)
        self._heard: CredentialError | None = None
        self._failures: dict[str, CredentialError] = {}
        of_connection = StreamableHTTPConnectionParams.model_fields.keys() & options.keys()
        connection = {name: options[name] for name in of_connection}
        super().__init__(
            connection_params=StreamableHTTPConnectionParams(
                url=url, httpx_client_factory=self._client, **connection
            ),
            **{name: option for name, option in options.items() if name not in of_connection},
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied as it was made: ADK pickles agents to deploy them, and tokens and threads stay behind."""
        return CredentialToolset, self._made_of

    async def get_tools(self, readonly_context: Any = None) -> list[Any]:
        """The server's tools. Raises CredentialError when it is the credential that keeps us from them."""
        self._heard = None
        try:
            await self._auth.prepare()  # here, since ADK gives up on a session after five seconds
            tools: list[Any] = await super().get_tools(readonly_context)
        except Exception as error:
            failure = error if isinstance(error, CredentialError) else self._heard
            if failure is None:
                raise
            if readonly_context is not None:
                self._failures[readonly_context.invocation_id] = failure
            raise failure from None
        return tools

    async def process_llm_request(self, *, tool_context: Any, llm_request: Any) -> None:
        """Stop the run when the tools could not be listed: ADK calls this where it hides no error."""
        await super().process_llm_request(tool_context=tool_context, llm_request=llm_request)
        failure = self._failures.pop(tool_context.invocation_id, None)
        if failure is not None:
            raise failure

    def _client(
        self,
        headers: dict[str, str] | None = None,
        timeout: Any = None,
        auth: httpx2.Auth | None = None,  # the signature that ADK checks
    ) -> httpx2.AsyncClient:
        return AnsweringClient(self._auth, tell=self._hear, headers=headers, timeout=timeout)

    def _hear(self, failure: CredentialError) -> None:
        self._heard = failure
