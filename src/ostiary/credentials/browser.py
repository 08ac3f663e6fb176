"""Show a page to the person who is to sign in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

Browser = Callable[[str], Awaitable[None]]
"""Given an http(s) URL, gets it before the person's eyes. It need not wait for what they do there."""


async def open_browser(url: str) -> bool:
    """Open the URL in the system's browser, never by a shell. False when there is none."""
    import webbrowser  # noqa: PLC0415 - looks around on the machine when it is imported

    try:
        return await asyncio.to_thread(webbrowser.open, url)
    except webbrowser.Error:
        return False
