"""A header whose value is configured: read when first needed, and again when the server refuses it.

So a rotated secret needs no restart, and no request waits for a disk.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.credentials.error import CredentialMisconfigured
from ostiary.credentials.headers.header_value import is_header_value
from ostiary.secrets import Secret, SecretMalformed, SecretUnavailable

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal


class StaticHeaders:
    """One header with a secret value, the same for every caller."""

    def __init__(self, credential: str, name: str, value: Secret, *, endpoint: str, prefix: str = "") -> None:
        self._credential = credential
        self._name = name
        self._value = value
        self._prefix = prefix
        self._endpoint = endpoint
        self._headers: Headers | None = None

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """The header, once it has been read."""
        return self._headers

    async def get(self, request: OutgoingRequest) -> Headers:
        """The header. Raises CredentialMisconfigured when its secret is not where it should be."""
        if self._headers is None:
            self._headers = self._read()
        return self._headers

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """Read the secret again after a 401; another try makes sense when it has changed."""
        if refusal.status != HTTPStatus.UNAUTHORIZED:
            return False
        try:
            self._headers = self._read()
        except CredentialMisconfigured:
            self._headers = None
            return False
        return self._headers != headers

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """It is what was configured, taken or not."""

    def _read(self) -> Headers:
        try:
            value = self._prefix + self._value.reveal()
        except SecretMalformed as error:
            raise self._misconfigured(str(error), "store the value alone, on one line") from None
        except SecretUnavailable as error:
            raise self._misconfigured(str(error), "set it to the value that the server gave you") from None
        if not is_header_value(value):
            problem = f"{self._value.place} has a character beyond ASCII, which no header carries"
            raise self._misconfigured(problem, "set it to the value that the server gave you")
        return ((self._name, value),)

    def _misconfigured(self, problem: str, fix: str) -> CredentialMisconfigured:
        return CredentialMisconfigured(problem, credential=self._credential, endpoint=self._endpoint, fix=fix)
