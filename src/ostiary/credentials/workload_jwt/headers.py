"""`Authorization: Bearer` with the token that a file holds now."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.credentials.error import CredentialError

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal
    from ostiary.credentials.tokens.token import Token
    from ostiary.credentials.workload_jwt.jwt_file import JwtFile


class JwtFileHeaders:
    """The header for a file's token, the same for every caller."""

    def __init__(self, file: JwtFile) -> None:
        self._file = file
        self._token: Token | None = None
        self._headers: Headers = ()

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """The header, while the file has a good token."""
        try:
            return self._current()
        except CredentialError:
            return None  # for `get` to say why

    async def get(self, request: OutgoingRequest) -> Headers:
        """The header; nothing is ever fetched. Raises CredentialError."""
        return self._current()

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """After a 401, look at the file at once; another try makes sense when it has changed."""
        if refusal.status != HTTPStatus.UNAUTHORIZED:
            return False
        return self._file.has_changed() or headers != self._headers

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """It is what the file holds, taken or not."""

    def _current(self) -> Headers:
        token = self._file.token()
        if token is not self._token:
            self._token = token
            self._headers = (("authorization", f"Bearer {token.value.reveal()}"),)
        return self._headers
