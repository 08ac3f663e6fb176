"""Headers for the caller of each request: one token for each caller, as long as their own say the same.

What a caller's token is exchanged for follows from what it says. So who comes with a renewed one is served
from the exchange before, until that is over. Another client, other scopes, another sign-in or any other claim
that differs is another caller here; only what names the token itself, and its times, may differ.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import sha256
from typing import TYPE_CHECKING

from ostiary.credentials.error import CallerUnknown

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import CredentialHeaders, Headers, OutgoingRequest, ServerRefusal
    from ostiary.identity.principal import Principal

ENTRAS = frozenset({"aio", "rh", "uti", "xms_ftd"})
OF_ONE_TOKEN = frozenset({"exp", "iat", "jti", "nbf"} | {"at_hash", "c_hash", "nonce", "s_hash"} | ENTRAS)
"""Claims that are new in each token and say nothing of whom it speaks of (RFC 7519 4.1, OIDC Core 2)."""


class HeadersOfSubject:
    """One CredentialHeaders for each caller, made when it first comes.

    make: the headers for a caller with this token, and the key that tells what it is exchanged for from what
    others are; credential, endpoint: for errors; most: how many callers are remembered at once. Who has not
    called for longest is forgotten first.
    """

    def __init__(
        self,
        make: Callable[[Principal, Hashable], CredentialHeaders],
        *,
        credential: str,
        endpoint: str,
        most: int,
    ) -> None:
        self._make = make
        self._credential = credential
        self._endpoint = endpoint
        self._most = most
        self._of: OrderedDict[bytes, CredentialHeaders] = OrderedDict()

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """The caller's headers when they are at hand."""
        return None if request.principal is None else self._headers(request.principal).ready(request)

    async def get(self, request: OutgoingRequest) -> Headers:
        """The caller's headers. Raises CallerUnknown, or another CredentialError."""
        if request.principal is None:
            raise CallerUnknown(
                "it acts for whoever calls, and nobody is known to call",
                credential=self._credential,
                endpoint=self._endpoint,
                fix="call with a token that the gateway's inbound accepts, or set subject to a credential",
            )
        return await self._headers(request.principal).get(request)

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """Hear it for the caller whose headers they were."""
        return request.principal is not None and self._headers(request.principal).refused(
            request, headers, refusal
        )

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """Hear it for the caller whose headers they were."""
        if request.principal is not None:
            self._headers(request.principal).accepted(request, headers)

    def _headers(self, principal: Principal) -> CredentialHeaders:
        token = sha256(principal.token.reveal().encode()).digest()
        headers = self._of.get(token)
        if headers is None:
            if len(self._of) >= self._most:
                self._of.popitem(last=False)
            headers = self._of[token] = self._make(principal, whose(principal))
        self._of.move_to_end(token)
        return headers


def whose(principal: Principal) -> tuple[str, str, bytes]:
    """What is the same for all tokens that say the same of a caller."""
    lasting = {name: value for name, value in principal.claims.items() if name not in OF_ONE_TOKEN}
    written = json.dumps(lasting, sort_keys=True, default=str)
    return principal.issuer, principal.subject, sha256(written.encode()).digest()
