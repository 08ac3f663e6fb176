"""Credentials on the requests of HTTP libraries.

    httpx2     for the official MCP client (mcp 2), the OpenAI Agents SDK and pydantic-ai, too
    httpx      for the official MCP client before that, and LangChain's MCP adapters
    requests   in as many threads as there are
    aiohttp    a client middleware
    fastmcp    FastMCP's client
    adk        Google's Agent Development Kit: mcp_toolset, from_service_account

One file a library, each with `CredentialAuth(credential, server_url=...)`: that library's own kind of
auth object. A credential goes to its own server's origin alone, and never along with a redirect. For code
that has none of these, and does not await, there is `BlockingCredential` in `credentials.blocking`.

    server_credential   what those that await have in common
    httpx_flow          what httpx2 and httpx have in common
    secrets_sent        one that says what it has sent
    worn_headers        a request's headers with a credential on, of which no copy has it
    answering_client    an httpx2 client for MCP: a missing credential is an answer, not the session's end
"""
