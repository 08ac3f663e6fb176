"""To what the tokens of a request are bound: a key that proves itself, or the client's certificate.

RFC 9449 section 5, RFC 8705 section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.parts import Parts
from ostiary.oauth.client import Client
from ostiary.oauth.server_errors import InvalidDpopProof


async def binding(form: FormRequest, client: Client, parts: Parts, *, now: float) -> Mapping[str, Any] | None:
    """The `cnf` of the tokens; None for bearer tokens. Raises InvalidDpopProof, StorageError."""
    if form.dpop is not None:
        raise InvalidDpopProof("proofs of possession are not read yet")
    return None
