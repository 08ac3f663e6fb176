"""A credential on every request of a FastMCP client: `fastmcp.Client(url, auth=CredentialAuth(...))`.

FastMCP hands its `auth` to `httpx2`, whose adapter this is.
"""

from ostiary.credentials.adapters.httpx2 import CredentialAuth

__all__ = ["CredentialAuth"]
