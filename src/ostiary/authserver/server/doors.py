"""What programs post to: endpoint → handler. A line each."""

from __future__ import annotations

from ostiary.authserver.config.settings import MtlsSettings
from ostiary.authserver.endpoints.device_authorization import authorize_device
from ostiary.authserver.endpoints.introspection import introspect
from ostiary.authserver.endpoints.registration import RegistrationEndpoint
from ostiary.authserver.endpoints.revocation import revoke
from ostiary.authserver.endpoints.token import TokenEndpoint
from ostiary.authserver.endpoints.userinfo import UserinfoEndpoint
from ostiary.authserver.http.endpoint_door import Handler, door
from ostiary.authserver.http.form_request import (
    read_bare_request,
    read_form_request,
    read_json_request,
)
from ostiary.authserver.interaction.pushed_requests import push
from ostiary.authserver.requests.client_request import for_clients
from ostiary.authserver.server.discovery import PATHS, REGISTRATION_PATH, USERINFO_PATH, mtls_endpoints
from ostiary.authserver.services import Parts
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.transport.direct import Door


def _forms(parts: Parts) -> dict[str, Handler]:
    rates = parts.rates
    return {
        "/oauth/token": TokenEndpoint(parts),
        "/oauth/revoke": for_clients(revoke, parts, rates.token),
        "/oauth/introspect": for_clients(introspect, parts, rates.token),
        "/oauth/device_authorization": for_clients(authorize_device, parts, rates.authorize),
        "/oauth/par": for_clients(push, parts, rates.authorize),
    }


def doors(parts: Parts) -> dict[bytes, Door]:
    """Path → what answers its POST requests."""
    found = {
        endpoint_path(parts.issuer, path).encode(): door(
            handler, url=parts.url(path), read=read_form_request, audit=parts.audit
        )
        for path, handler in _forms(parts).items()
    }
    found[endpoint_path(parts.issuer, USERINFO_PATH).encode()] = door(
        UserinfoEndpoint(parts, "POST"),
        url=parts.url(USERINFO_PATH),
        read=read_bare_request,
        audit=parts.audit,
    )
    if parts.settings.registration.dynamic:
        path = REGISTRATION_PATH
        found[endpoint_path(parts.issuer, path).encode()] = door(
            RegistrationEndpoint(parts), url=parts.url(path), read=read_json_request, audit=parts.audit
        )
    return found


def mtls_doors(parts: Parts, settings: MtlsSettings) -> dict[bytes, Door]:
    """The same, for those that are also where certificates are asked for."""
    forms = _forms(parts)
    return {
        canonical_url(url).path.encode(): door(
            forms[PATHS[name]], url=url, read=read_form_request, audit=parts.audit
        )
        for name, url in mtls_endpoints(settings).items()
    }
