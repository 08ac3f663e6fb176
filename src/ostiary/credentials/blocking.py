"""Credentials for code that does not await.

Tokens are fetched and renewed in one background thread, whose event loop all of a process share. It starts
with the first use and ends with the process.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ostiary.credentials.credential import as_one
from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url

if TYPE_CHECKING:
    from types import TracebackType

    from ostiary.credentials import Credential
    from ostiary.credentials.headers.headers import CredentialHeaders

Result = TypeVar("Result")


class BlockingCredential:
    """A credential for one server, for any number of threads: however many wait, it is fetched once.

    runtime: shared with others that block. Use as a context manager, close it, or leave it to the end of
    the process.
    """

    def __init__(
        self, credential: Credential, *, server_url: str | CanonicalUrl, runtime: Runtime | None = None
    ) -> None:
        url = server_url if isinstance(server_url, CanonicalUrl) else canonical_url(server_url)
        self.origin = url.origin
        """The only one that the headers may go to."""
        self._url = url
        self._credential = credential
        self._shared_runtime = runtime
        self._of_process: _OfProcess | None = None
        self._starting = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def headers(self, request: OutgoingRequest | None = None) -> Headers:
        """What to put on a request to the server. Raises CredentialError.

        request: what is sent, for the few kinds that look at it; by default a POST to the server's URL.
        """
        attached = self._attached()
        return attached.background.run(_headers(attached.headers, request or self._usual_request()))

    def refused(
        self, headers: Headers, refusal: ServerRefusal, request: OutgoingRequest | None = None
    ) -> bool:
        """Hear that the server refused a request with these headers; True when another try makes sense."""
        attached = self._attached()
        return attached.background.run(
            _refused(attached.headers, request or self._usual_request(), headers, refusal)
        )

    def accepted(self, headers: Headers, request: OutgoingRequest | None = None) -> None:
        """Hear that the server took these headers after it had refused others: a second try alone says so."""
        attached = self._attached()
        attached.background.run(_accepted(attached.headers, request or self._usual_request(), headers))

    def close(self) -> None:
        """Stop fetches that are under way. Tokens are fetched anew should it be used again."""
        with self._starting:
            ended, self._of_process = self._of_process, None
        if ended is not None:
            ended.close()

    def _usual_request(self) -> OutgoingRequest:
        return OutgoingRequest("POST", self._url)

    def _attached(self) -> _OfProcess:
        """The credential as attached in this process: a fork has our memory, but not our thread."""
        attached = self._of_process
        if attached is None or attached.background.process != os.getpid():
            with self._starting:
                attached = self._of_process
                if attached is None or attached.background.process != os.getpid():
                    attached = self._of_process = _OfProcess(
                        self._credential, self._url, self._shared_runtime
                    )
        return attached


class _OfProcess:
    """A credential attached in one process, and the runtime that is closed with it."""

    def __init__(self, credential: Credential, url: CanonicalUrl, shared: Runtime | None) -> None:
        self.background = background_loop()
        runtime = shared or Runtime()
        self.headers: CredentialHeaders = as_one(credential).attach(url, runtime=runtime)
        self.close = weakref.finalize(self, self.background.let_go, runtime if shared is None else None)


async def _headers(attached: CredentialHeaders, request: OutgoingRequest) -> Headers:
    ready = attached.ready(request)
    return await attached.get(request) if ready is None else ready


async def _refused(
    attached: CredentialHeaders, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal
) -> bool:
    return attached.refused(request, headers, refusal)


async def _accepted(attached: CredentialHeaders, request: OutgoingRequest, headers: Headers) -> None:
    attached.accepted(request, headers)


class BackgroundLoop:
    """An event loop in a thread of its own, which lasts as long as the process."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._ending: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="ostiary-credentials", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What it returns or raises; given up when the waiting thread is interrupted."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def let_go(self, runtime: Runtime | None) -> None:
        """Close a runtime, soon. Never waits: the garbage collector may call this from any thread."""
        if runtime is not None and self.process == os.getpid() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._close, runtime)

    def end(self) -> None:
        """Finish what is being closed, and stop the thread."""
        if self.process != os.getpid() or self._loop.is_closed():
            return
        self.run(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _close(self, runtime: Runtime) -> None:
        task = self._loop.create_task(runtime.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _finish(self) -> None:
        await asyncio.gather(*self._ending, return_exceptions=True)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


_started: BackgroundLoop | None = None
_starting = threading.Lock()


def background_loop() -> BackgroundLoop:
    """The one of this process. It ends after everything that is closed at the end of the process."""
    global _started  # noqa: PLW0603 - a thread is a process's own, and one is enough
    with _starting:
        if _started is None or _started.process != os.getpid():
            _started = BackgroundLoop()
            weakref.finalize(_started, BackgroundLoop.end, _started)
        return _started


def _after_fork() -> None:
    """A lock that another thread held is held for ever in the child."""
    global _starting  # noqa: PLW0603
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
