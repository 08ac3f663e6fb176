"""What is read with GET inside the listener's protocol: discovery and keys, from memory; userinfo."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from ostiary.authserver.http.endpoint_door import door
from ostiary.authserver.http.form_request import read_bare_request
from ostiary.authserver.idps.own_client_document import client_documents
from ostiary.authserver.server.discovery import USERINFO_PATH, discovery_document
from ostiary.authserver.server.doors import userinfo
from ostiary.authserver.server.services import Services
from ostiary.authserver.signing.signing_keys import JWKS_MAX_AGE
from ostiary.oauth.server.endpoint_url import endpoint_path, well_known_paths
from ostiary.transport.inline_http import Answer, Door, Request

PUBLIC = (
    b"content-type: application/json\r\n"
    b"cache-control: public, max-age=%d\r\n"
    b"x-content-type-options: nosniff\r\n"
    b"access-control-allow-origin: *\r\n" % JWKS_MAX_AGE
)


def documents(services: Services) -> dict[bytes, Door]:
    """Path → what answers its GET requests. But for userinfo, they work while the store is away."""
    metadata = msgspec.json.encode(discovery_document(services.settings))
    found = {path: _document(lambda: metadata) for path in well_known_paths(services.issuer)}
    found[endpoint_path(services.issuer, "/.well-known/jwks.json")] = _document(services.signing.jwks)
    found[endpoint_path(services.issuer, USERINFO_PATH)] = door(
        userinfo(services, "GET"),
        url=services.url(USERINFO_PATH),
        read=read_bare_request,
        audit=services.audit,
    )
    for path, description in client_documents(services.settings).items():
        found[path] = _document(partial(bytes, description))
    return {path.encode(): one for path, one in found.items()}


def _document(content: Callable[[], bytes]) -> Door:
    async def answer(_: Request) -> Answer:
        return Answer(200, content(), PUBLIC)

    return answer
