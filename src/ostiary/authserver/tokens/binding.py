"""To what the tokens of a request are bound: a key that proves itself, or the client's certificate.

RFC 9449 section 5, RFC 8705 section 3. A proof binds whoever sends one; a certificate only whose client asks
for it, as most resources never see one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.authserver import replay_guard
from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.services import Services
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.confirmation import certificate_thumbprint, confirmation
from ostiary.oauth.jwt_claims import LEEWAY
from ostiary.oauth.resource_server.dpop_proof import VerifiedProof, check_proof
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.errors import InvalidDpopProof, InvalidRequest
from ostiary.storage.store import Store
from ostiary.transport.stepping import in_task

WINDOW = 300.0
"""Seconds that a proof may be old: what clocks of people's machines differ by."""


async def binding(
    form: FormRequest, client: Client, services: Services, *, now: float
) -> Mapping[str, Any] | None:
    """The `cnf` of the tokens; None for bearer tokens.

    Raises InvalidDpopProof, InvalidRequest, StorageError.
    """
    x5t = _certificate(form, client)
    if form.dpop is None:
        if client.dpop_bound:
            raise InvalidDpopProof("this client's tokens are bound to a key: send a proof in a DPoP header")
        return confirmation(x5t=x5t)
    proof = check_proof(form.dpop, method="POST", url=canonical_url(form.url), now=now, window=WINDOW)
    await take_once(proof, services.store)
    return confirmation(jkt=proof.jkt, x5t=x5t)


async def take_once(proof: VerifiedProof, store: Store) -> None:
    """Take a proof whose time is right, once (RFC 9449 section 11.1).

    Raises InvalidDpopProof, StorageError.
    """
    name, expires_at = f"dpop {proof.jkt} {proof.jti}", proof.iat + WINDOW + LEEWAY
    taken = store.transaction(lambda connection: replay_guard.take(connection, name, expires_at=expires_at))
    if not await in_task(taken):
        raise InvalidDpopProof("the DPoP proof was used before; make a new one for each request")


def _certificate(form: FormRequest, client: Client) -> str | None:
    if not client.certificate_bound:
        return None
    if form.certificate is None:
        raise InvalidRequest(
            "this client's tokens are bound to its certificate: ask where one is asked for, as "
            "mtls_endpoint_aliases in the server's metadata says"
        )
    return certificate_thumbprint(form.certificate)
