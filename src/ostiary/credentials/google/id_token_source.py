"""Google's ID tokens for one audience."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ostiary.credentials.google.token_source import GoogleSource

if TYPE_CHECKING:
    from ostiary.credentials.google.failure import GoogleFailure
    from ostiary.credentials.google.login import GoogleLogin
    from ostiary.credentials.google.requests import HttpRequest
    from ostiary.credentials.tokens.token import Token


@dataclass(frozen=True, slots=True)
class GoogleIdTokenSource(GoogleSource):
    """One audience's tokens, from one Google identity; the audience is the endpoint."""

    credential: ClassVar[str] = "google_id_token"
    without_identity: ClassVar[str] = (
        "run where there is a metadata server, point GOOGLE_APPLICATION_CREDENTIALS or key_file to a service "
        "account's key, or set impersonate (a person's own login cannot choose an audience)"
    )
    role: ClassVar[str] = "roles/iam.serviceAccountOpenIdTokenCreator"

    def ask(self, login: GoogleLogin | None, request: HttpRequest, failure: GoogleFailure) -> Token:
        """Ask Google; blocks."""
        return self.identity.id_token(login, request, self.endpoint, failure)
