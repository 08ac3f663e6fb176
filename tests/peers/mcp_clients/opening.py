"""How a client's wish to open a URL reaches the person in the test."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.peers.mcp_clients.client import OpenUrl

XDG_OPEN = """\
#!/bin/sh
printf '%s\\n' "$1" > "$OPENED_URLS"
"""


@asynccontextmanager
async def opening(open_url: OpenUrl) -> AsyncIterator[Callable[[str], None]]:
    """A function that shows URLs while the client goes on; what fails there ends the body, and is raised."""
    body = asyncio.current_task()
    assert body is not None
    shown: set[asyncio.Task[None]] = set()
    failures: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        shown.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            failures.append(failure)
            body.cancel()

    def show(url: str) -> None:
        task = asyncio.ensure_future(open_url(url))
        shown.add(task)
        task.add_done_callback(ended)

    try:
        yield show
    except asyncio.CancelledError:
        if not failures:
            raise
        body.uncancel()
        raise failures[0] from None
    finally:
        for task in tuple(shown):
            task.cancel()
        await asyncio.gather(*shown, return_exceptions=True)


@asynccontextmanager
async def desktop(show: Callable[[str], None]) -> AsyncIterator[dict[str, str]]:
    """The environment of programs that open the person's browser: what they open is shown."""
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="ostiary-desktop-") as folder:
        program, pipe = Path(folder, "xdg-open"), Path(folder, "urls")
        program.write_text(XDG_OPEN)
        program.chmod(0o755)
        os.mkfifo(pipe)
        # For writing too, so that it does not end when a program has written.
        urls = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)

        def arrived() -> None:
            for url in os.read(urls, 65536).decode().splitlines():
                show(url)

        loop.add_reader(urls, arrived)
        try:
            path = f"{folder}{os.pathsep}{os.environ['PATH']}"
            yield {"PATH": path, "BROWSER": str(program), "OPENED_URLS": str(pipe)}
        finally:
            loop.remove_reader(urls)
            os.close(urls)
