"""To what the tokens of a request are bound: a key that proves itself, or the client's certificate.

RFC 9449 section 5, RFC 8705 section 3. A proof binds whoever sends one; a certificate only whose client asks
for it, as most resources never see one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.authserver.http.form_request import FormRequest
from ostiary.identity.possession import Possession
from ostiary.oauth.confirmation import certificate_thumbprint, confirmation
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.errors import InvalidDpopProof, InvalidRequest


async def binding(form: FormRequest, client: Client, possession: Possession) -> Mapping[str, Any] | None:
    """The `cnf` of the tokens; None for bearer tokens.

    Raises InvalidDpopProof, InvalidRequest, StorageError.
    """
    x5t = _certificate(form, client)
    if form.dpop is None:
        if client.dpop_bound:
            raise InvalidDpopProof("this client's tokens are bound to a key: send a proof in a DPoP header")
        return confirmation(x5t=x5t)
    return confirmation(jkt=await possession.prove(form.sender("POST")), x5t=x5t)


def _certificate(form: FormRequest, client: Client) -> str | None:
    if not client.certificate_bound:
        return None
    if form.certificate is None:
        raise InvalidRequest(
            "this client's tokens are bound to its certificate: ask where one is asked for, as "
            "mtls_endpoint_aliases in the server's metadata says"
        )
    return certificate_thumbprint(form.certificate)
