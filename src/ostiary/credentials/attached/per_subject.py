"""Headers for the caller of each request: one token for each subject, and for each token that it came with.

What a caller's token was exchanged for goes with that token: a new sign-in, another set of scopes or a
revocation is never served from an older one. So issuer, subject and the token's hash are in the key.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import sha256
from typing import TYPE_CHECKING

from ostiary.credentials.error import CallerUnknown

if TYPE_CHECKING:
    from ostiary.credentials.attached.headers import CredentialHeaders, Headers, Outgoing, Refusal
    from ostiary.identity.principal import Principal

MOST_SUBJECTS = 10_000
"""How many callers are remembered at once; who has not called for longest is forgotten first."""


class HeadersOfSubject:
    """One CredentialHeaders for each caller, made when it first comes.

    make: the headers for a caller, and the key that tells its token from others; credential, endpoint: for
    errors.
    """

    def __init__(
        self, make: Callable[[Principal, Hashable], CredentialHeaders], *, credential: str, endpoint: str
    ) -> None:
        self._make = make
        self._credential = credential
        self._endpoint = endpoint
        self._of: OrderedDict[Hashable, CredentialHeaders] = OrderedDict()

    def ready(self, request: Outgoing) -> Headers | None:
        """The caller's headers when they are at hand."""
        return None if request.principal is None else self._headers(request.principal).ready(request)

    async def get(self, request: Outgoing) -> Headers:
        """The caller's headers. Raises CallerUnknown, or another CredentialError."""
        if request.principal is None:
            raise CallerUnknown(
                "it acts for whoever calls, and nobody is known to call",
                credential=self._credential,
                endpoint=self._endpoint,
                fix="call with a token that the gateway's inbound accepts, or set subject to a credential",
            )
        return await self._headers(request.principal).get(request)

    def refused(self, request: Outgoing, headers: Headers, refusal: Refusal) -> bool:
        """Hear it for the caller whose headers they were."""
        return request.principal is not None and self._headers(request.principal).refused(
            request, headers, refusal
        )

    def _headers(self, principal: Principal) -> CredentialHeaders:
        token = sha256(principal.token.reveal().encode()).digest()
        key = (principal.issuer, principal.subject, token)
        headers = self._of.get(key)
        if headers is None:
            if len(self._of) >= MOST_SUBJECTS:
                self._of.popitem(last=False)
            headers = self._of[key] = self._make(principal, key)
        self._of.move_to_end(key)
        return headers
