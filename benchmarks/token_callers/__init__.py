"""Callers of a protected server, each with a provider of its own: `calling(servers)` gives its `Call`.

    ostiary     our `CredentialAuth`
    sdk         the provider of the `mcp` SDK
    fastmcp     that of FastMCP
    adk         ADK's exchanger, which gives a token before a tool is called
    posting     the call itself

A file is imported only when its caller is measured, in an environment that has the package.
"""
