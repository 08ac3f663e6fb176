"""An ostiary.yaml at a glance: what would run, and what has to be registered elsewhere before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ostiary.oauth.server.endpoint_url import endpoint

if TYPE_CHECKING:
    from ostiary.authserver.config import AuthServerSettings, IdpSettings, ResourceSettings
    from ostiary.config import OstiaryFile
    from ostiary.gateway.config import GatewaySettings
    from ostiary.storage.config import StorageSettings

Row = dict[str, str]


def what_runs(file: OstiaryFile) -> Iterator[Row]:
    """A row for each part and what is in it."""
    parts = []
    if file.authserver is not None:
        parts.append("the authorization server")
        yield from _authserver(file.authserver)
    if file.gateway is not None:
        parts.append("the gateway")
        yield from _gateway(file.gateway)
    if parts and file.storage is not None:
        yield _storage(file.storage, " and ".join(parts))
    if parts and file.telemetry.listen is not None:
        yield _row(
            "telemetry",
            f"http://{file.telemetry.listen}",
            "/healthz, /readyz, /metrics, /status",
            "everybody",
        )
    if parts and file.telemetry.audit is not None:
        yield _row("audit", str(file.telemetry.audit.path), "a line of JSON each event", "nobody")


def what_to_register(file: OstiaryFile) -> Iterator[Row]:
    """The redirect URI of our client at each identity provider, and which client that is."""
    if file.authserver is not None:
        for idp in file.authserver.upstream_idps:
            callback = endpoint(file.authserver.issuer, f"/oauth/callback/{idp.name}")
            yield {"identity provider": idp.name, "redirect URI": callback, "our client there": _client(idp)}


def _row(what: str, where: str, behind_it: str, lets_in: str) -> Row:
    return {"what": what, "where": where, "behind it": behind_it, "lets in": lets_in}


def _authserver(authserver: AuthServerSettings) -> Iterator[Row]:
    idps = ", ".join(idp.name for idp in authserver.upstream_idps) or "no identity provider"
    clients = ", ".join(_clients(authserver)) or "no client"
    yield _row("authserver", authserver.issuer, f"{authserver.listen}; {idps}", clients)
    if authserver.mtls is not None:
        yield _row(
            "authserver, mtls",
            authserver.mtls.origin,
            str(authserver.mtls.listen),
            "clients with certificates",
        )
    for resource in authserver.resources:
        yield _row(
            f"tokens of {resource.owner}",
            resource.resource,
            _uses(resource),
            f"scopes {' '.join(resource.scopes)}" if resource.scopes else "no scopes",
        )


def _clients(authserver: AuthServerSettings) -> Iterator[str]:
    yield from (client.client_id for client in authserver.clients)
    if authserver.registration.client_id_metadata_documents:
        yield "clients with a document"
    if authserver.registration.dynamic:
        yield "clients that register"


def _uses(resource: ResourceSettings) -> str:
    return ", ".join(f"{name} ({use.value})" for name, use in resource.uses.items())


def _client(idp: IdpSettings) -> str:
    if idp.client_id is not None:
        method = getattr(idp, "auth_method", None) or ("a secret" if idp.client_secret else "no secret")
        return f"{idp.client_id}, with {method}"
    return "known by our document, or registers by itself" if idp.type == "mcp" else "none"


def _gateway(gateway: GatewaySettings) -> Iterator[Row]:
    url = gateway.public_url
    behind = ", ".join(gateway.servers) or "nothing yet"
    yield _row("gateway", f"{url}/mcp", behind, ", ".join(_callers(gateway)) or "everybody")
    for name, server in gateway.servers.items():
        yield _row(
            f"server {name}",
            f"{url}/servers/{name}/mcp",
            server.place,
            f"us, by credential {server.credential.type}",
        )


def _callers(gateway: GatewaySettings) -> Iterator[str]:
    for entry in gateway.inbound:
        yield f"tokens of {entry.issuer}" if entry.type == "oidc" else "Google ID tokens"


def _storage(storage: StorageSettings, whose: str) -> Row:
    return _row(
        "storage", storage.url, f"sealed with {storage.encryption_key.path}", f"{whose}, and replicas"
    )
