"""google-auth's HTTP transport, with no request longer than ours may be.

google-auth is imported on first use, in the thread that runs it: importing it is slow, and it reads
GCE_METADATA_HOST as it is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

REQUEST_TIMEOUT = 10.0
"""Seconds for one request; google-auth would wait two minutes."""

HttpRequest = Callable[..., Any]
"""google.auth.transport.Request: url, method, body, headers → response."""


@contextmanager
def google_requests() -> Iterator[HttpRequest]:
    """The transport while its block runs; not for more than one thread."""
    import requests  # noqa: PLC0415 - see the module's first lines
    from google.auth.transport.requests import Request  # noqa: PLC0415

    with requests.Session() as session:
        transport = Request(session)

        def request(url: str, method: str = "GET", timeout: float | None = None, **options: Any) -> Any:
            return transport(url, method, timeout=min(timeout or REQUEST_TIMEOUT, REQUEST_TIMEOUT), **options)

        yield request
