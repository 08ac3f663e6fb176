"""The clients of ostiary.yaml."""

from __future__ import annotations

import hashlib

from ostiary.authserver.clients.stored_clients import SAN
from ostiary.authserver.config.clients import ClientSettings
from ostiary.authserver.config.trusted_issuers import TrustedIssuer
from ostiary.oauth.server.client import Client, ClientKind


def configured_client(settings: ClientSettings, issuers: list[TrustedIssuer]) -> Client:
    """One of them. Raises SecretUnavailable; a secret's file is read when the server starts."""
    secret = settings.client_secret
    return Client(
        client_id=settings.client_id,
        kind=ClientKind.PREREGISTERED,
        redirect_uris=tuple(settings.redirect_uris),
        grant_types=settings.grants,
        scopes=None if settings.scopes is None else frozenset(settings.scopes),
        auth_method=settings.method,
        secret_digest=None if secret is None else secret_digest(secret.reveal()),
        jwks=settings.jwks,
        jwks_uri=None if settings.jwks_uri is None else str(settings.jwks_uri),
        certificate_subject=settings.tls_client_auth_subject_dn,
        certificate_san=_san(settings),
        application_type=settings.application,
        name=settings.client_name,
        dpop_bound=settings.dpop_bound_access_tokens,
        certificate_bound=settings.tls_client_certificate_bound_access_tokens,
        require_pushed_requests=settings.require_pushed_authorization_requests,
        workload_subjects=tuple(
            (issuer.issuer, subject)
            for issuer in issuers
            for subject, client_id in issuer.subjects.items()
            if client_id == settings.client_id
        ),
        allowed_resources=None if settings.resources is None else frozenset(map(str, settings.resources)),
    )


def secret_digest(secret: str) -> bytes:
    """What is kept of a client's secret."""
    return hashlib.sha256(secret.encode()).digest()


def _san(settings: ClientSettings) -> tuple[str, str] | None:
    found = ((kind, getattr(settings, field)) for kind, field in SAN.items())
    return next(((kind, name) for kind, name in found if name is not None), None)
