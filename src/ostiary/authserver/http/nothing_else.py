"""What a listener answers that has nothing but its endpoints."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send


async def nothing_else(scope: Scope, receive: Receive, send: Send) -> None:
    """404, and the connection ends."""
    said = {"error": "not_found", "error_description": "this listener takes requests to its endpoints alone"}
    await JSONResponse(said, status_code=404, headers={"connection": "close"})(scope, receive, send)
