"""What programs post to: endpoint → handler. A line each."""

from __future__ import annotations

from functools import partial

from ostiary.authserver.config.settings import MtlsSettings
from ostiary.authserver.endpoints.device_authorization import VERIFICATION_PATH, DeviceAuthorization
from ostiary.authserver.endpoints.introspection import Introspection
from ostiary.authserver.endpoints.registration import RegistrationEndpoint
from ostiary.authserver.endpoints.revocation import Revocation
from ostiary.authserver.endpoints.token import TokenEndpoint
from ostiary.authserver.endpoints.userinfo import UserinfoEndpoint
from ostiary.authserver.http.endpoint_door import Handler, door
from ostiary.authserver.http.form_request import (
    read_bare_request,
    read_form_request,
    read_json_request,
)
from ostiary.authserver.interaction.pushed_requests import push
from ostiary.authserver.rates import ClientRate
from ostiary.authserver.requests.client_request import ClientEndpoint, for_clients
from ostiary.authserver.server.discovery import PATHS, REGISTRATION_PATH, USERINFO_PATH, mtls_endpoints
from ostiary.authserver.server.grants import make_grants
from ostiary.authserver.server.services import Services
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.transport.inline_http import Door


def _forms(services: Services) -> dict[str, Handler]:
    store, audit, clock, rates = services.store, services.audit, services.clock, services.rates
    authenticator, verifier = services.authenticator, services.access_token_verifier
    device_authorization = DeviceAuthorization(
        services.url(VERIFICATION_PATH),
        store,
        services.resources,
        services.common_scopes,
        services.settings.tokens.device,
    )
    of_clients: list[tuple[str, ClientEndpoint, ClientRate]] = [
        ("/oauth/revoke", Revocation(store, verifier, services.session_ender, audit), rates.token),
        ("/oauth/introspect", Introspection(services.issuer, store, verifier), rates.token),
        ("/oauth/device_authorization", device_authorization, rates.authorize),
        (
            "/oauth/par",
            partial(push, context=services.pages, possession=services.possession),
            rates.authorize,
        ),
    ]
    token = TokenEndpoint(
        make_grants(services), authenticator, rates.token, services.possession, audit, clock
    )
    return {
        "/oauth/token": token,
        **{path: for_clients(one, authenticator, limit, clock) for path, one, limit in of_clients},
    }


def userinfo(services: Services, method: str) -> Handler:
    """The endpoint by one of its methods."""
    verifier, limit = services.access_token_verifier, services.rates.userinfo
    return UserinfoEndpoint(method, services.store, verifier, services.possession, limit, services.clock)


def doors(services: Services) -> dict[bytes, Door]:
    """Path → what answers its POST requests."""
    found = {
        endpoint_path(services.issuer, path).encode(): door(
            handler, url=services.url(path), read=read_form_request, audit=services.audit
        )
        for path, handler in _forms(services).items()
    }
    found[endpoint_path(services.issuer, USERINFO_PATH).encode()] = door(
        userinfo(services, "POST"),
        url=services.url(USERINFO_PATH),
        read=read_bare_request,
        audit=services.audit,
    )
    if services.settings.registration.dynamic:
        path = REGISTRATION_PATH
        registration = RegistrationEndpoint(
            services.settings, services.store, services.rates.registration, services.audit, services.clock
        )
        found[endpoint_path(services.issuer, path).encode()] = door(
            registration, url=services.url(path), read=read_json_request, audit=services.audit
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
