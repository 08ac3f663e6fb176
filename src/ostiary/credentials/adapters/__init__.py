"""Credentials on the requests of HTTP libraries.

    httpx2    CredentialAuth for httpx2.AsyncClient, and so for the official MCP client

One file a library, each with `CredentialAuth(credential, server_url=...)`: that library's own kind of
auth object.
"""
