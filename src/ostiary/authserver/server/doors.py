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
from ostiary.authserver.services import Services
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.transport.direct import Door


def _forms(services: Services) -> dict[str, Handler]:
    rates = services.rates
    return {
        "/oauth/token": TokenEndpoint(services),
        "/oauth/revoke": for_clients(revoke, services, rates.token),
        "/oauth/introspect": for_clients(introspect, services, rates.token),
        "/oauth/device_authorization": for_clients(authorize_device, services, rates.authorize),
        "/oauth/par": for_clients(push, services, rates.authorize),
    }


def doors(services: Services) -> dict[bytes, Door]:
    """Path → what answers its POST requests."""
    found = {
        endpoint_path(services.issuer, path).encode(): door(
            handler, url=services.url(path), read=read_form_request, audit=services.audit
        )
        for path, handler in _forms(services).items()
    }
    found[endpoint_path(services.issuer, USERINFO_PATH).encode()] = door(
        UserinfoEndpoint(services, "POST"),
        url=services.url(USERINFO_PATH),
        read=read_bare_request,
        audit=services.audit,
    )
    if services.settings.registration.dynamic:
        path = REGISTRATION_PATH
        found[endpoint_path(services.issuer, path).encode()] = door(
            RegistrationEndpoint(services),
            url=services.url(path),
            read=read_json_request,
            audit=services.audit,
        )
    return found


def mtls_doors(services: Services, settings: MtlsSettings) -> dict[bytes, Door]:
    """The same, for those that are also where certificates are asked for."""
    forms = _forms(services)
    return {
        canonical_url(url).path.encode(): door(
            forms[PATHS[name]], url=url, read=read_form_request, audit=services.audit
        )
        for name, url in mtls_endpoints(settings).items()
    }
