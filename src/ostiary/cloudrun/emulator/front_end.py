"""The front end of a Cloud Run service: it decides over each request, and passes on what may pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.cloudrun.emulator import pages
from ostiary.cloudrun.emulator.admission import AccessPolicy, AdmissionRefused, TokenNotAdmitted, admit
from ostiary.cloudrun.emulator.proxy import pass_on
from ostiary.event_log import event_log

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp
    from starlette.types import Receive, Scope, Send

    from ostiary.cloudrun.emulator.admission import RawHeaders

log = event_log("ostiary.cloudrun")


class FrontEnd:
    """The ASGI app before one service.

    verify: gives the claims of a token that Google signed, or raises BadSignature.
    origin: of the container.
    """

    def __init__(
        self,
        service: str,
        policy: AccessPolicy,
        *,
        verify: Callable[[str], dict[str, Any]],
        clock: Callable[[], float],
        session: aiohttp.ClientSession,
        origin: str,
    ) -> None:
        self._policy = policy
        self._verify = verify
        self._clock = clock
        self._session = session
        self._origin = origin
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path = scope["raw_path"].decode("latin-1")
        try:
            headers = admit(scope["headers"], self._policy, verify=self._verify, now=self._clock())
        except AdmissionRefused as refusal:
            log.warning(
                "request_refused",
                service=self._service,
                status=refusal.status,
                path=path,
                reason=str(refusal),
            )
            page = pages.unauthorized if isinstance(refusal, TokenNotAdmitted) else pages.forbidden
            await page(path)(scope, receive, send)
            return
        failure = await pass_on(
            scope,
            receive,
            send,
            session=self._session,
            origin=self._origin,
            headers=_forwarded(scope, headers),
        )
        if failure is not None:
            log.warning("container_failed", service=self._service, path=path, reason=failure)


def _forwarded(scope: Scope, headers: RawHeaders) -> RawHeaders:
    """Host stays as the caller sent it; the container learns who called, and how."""
    client = scope["client"][0] if scope.get("client") else "unknown"
    said = [value for name, value in headers if name == b"x-forwarded-for"]
    kept = [
        (name, value) for name, value in headers if name not in {b"x-forwarded-for", b"x-forwarded-proto"}
    ]
    return [
        *kept,
        (b"x-forwarded-for", b", ".join([*said, client.encode()])),
        (b"x-forwarded-proto", scope["scheme"].encode()),
    ]
