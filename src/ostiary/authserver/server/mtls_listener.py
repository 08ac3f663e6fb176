"""Where clients with certificates ask: apart, so that no browser is ever asked for one. RFC 8705 section 5.

Only endpoints at which a client authenticates are here. A connection is for one request, so nobody goes on
with a certificate whose time, or whose authority, has ended since the handshake.
"""

from __future__ import annotations

from ostiary.authserver.config.settings import MTLS_LISTEN, MtlsSettings
from ostiary.authserver.http.nothing_else import nothing_else
from ostiary.authserver.server.doors import mtls_doors
from ostiary.authserver.server.services import Services
from ostiary.certificates.source import CertificateSource
from ostiary.certificates.tls import server_context
from ostiary.oauth.canonical_url import canonical_url
from ostiary.transport.inline_http import Answer, Door, Request, StreamedAnswer
from ostiary.transport.limits import Limits
from ostiary.transport.listeners import Listener


def mtls_listener(
    settings: MtlsSettings, services: Services, limits: Limits, certificates: CertificateSource
) -> Listener:
    """Raises CertificateUnusable."""
    return Listener(
        name=MTLS_LISTEN,
        app=nothing_else,
        doors={
            b"POST": {path: _for_one_request(door) for path, door in mtls_doors(services, settings).items()}
        },
        authorities=(canonical_url(settings.origin).authority,),
        limits=limits,
        tls=server_context(certificates),
    )


def _for_one_request(door: Door) -> Door:
    async def answer(request: Request) -> Answer | StreamedAnswer:
        request.keep_alive = False
        return await door(request)

    return answer
