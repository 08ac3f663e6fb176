"""Google's access tokens with certain scopes."""

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
class GoogleAccessTokenSource(GoogleSource):
    """Access tokens with these scopes, from one Google identity."""

    scopes: tuple[str, ...]
    credential: ClassVar[str] = "google_access_token"
    without_identity: ClassVar[str] = (
        "run where there is a metadata server, point GOOGLE_APPLICATION_CREDENTIALS or key_file to a "
        "credentials file, or log in: gcloud auth application-default login"
    )
    role: ClassVar[str] = "roles/iam.serviceAccountTokenCreator"

    def ask(self, login: GoogleLogin | None, request: HttpRequest, failure: GoogleFailure) -> Token:
        """Ask Google; blocks."""
        return self.identity.access_token(login, request, self.scopes, failure)
