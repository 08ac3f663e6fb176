"""Who we are to Google, and the tokens that this gives.

key_file      a credentials file of Google's; without one, the application default credentials:
              GOOGLE_APPLICATION_CREDENTIALS, else gcloud's own file, else the metadata server
impersonate   a service account that this identity acts as, through `delegates`
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ostiary.credentials.google.iam import ACCESS_TOKEN, ActingAs, acting_as
from ostiary.credentials.google.login import GoogleLogin, default_file, gclouds_own_file, read_login
from ostiary.credentials.tokens.token import Token
from ostiary.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ostiary.credentials.google.failure import GoogleFailure
    from ostiary.credentials.google.requests import HttpRequest

EVERYTHING = ("https://www.googleapis.com/auth/cloud-platform",)
"""The scope that iamcredentials wants; what it gives is bounded by IAM."""
A_PERSON_HAS_NONE = (
    "a person's own login gets ID tokens for gcloud's own client alone: it cannot choose an audience"
)
NO_ACCOUNT_BEHIND = "a federated workload that acts as no service account gets no ID tokens"
SET_IMPERSONATE = "set impersonate to a service account that it may act as"
OR_A_KEY = f"{SET_IMPERSONATE}, or key_file to a service account's key"


@dataclass(frozen=True, slots=True)
class GoogleIdentity:
    """One identity. Everything here blocks, and runs in a thread."""

    key_file: Path | None = None
    impersonate: str | None = None
    delegates: tuple[str, ...] = ()

    def login(self) -> GoogleLogin | None:
        """The login in the file; None: ask the metadata server. Raises OSError, ValueError."""
        file = self.file
        return None if file is None else read_login(file)

    @property
    def file(self) -> Path | None:
        """The file that says who we are; None: the metadata server does."""
        return self.key_file or default_file()

    def access_token(
        self, login: GoogleLogin | None, request: HttpRequest, scopes: Sequence[str], failure: GoogleFailure
    ) -> Token:
        """An access token for these scopes."""
        if self.impersonate is None:
            return _access_token(login, request, scopes, failure)
        caller = _access_token(login, request, EVERYTHING, failure)
        target = acting_as(self.impersonate, self.delegates)
        return _given(*target.access_token(request, caller.value, scopes, failure))

    def id_token(
        self, login: GoogleLogin | None, request: HttpRequest, audience: str, failure: GoogleFailure
    ) -> Token:
        """An ID token for an audience."""
        if self.impersonate is not None:
            caller = _access_token(login, request, EVERYTHING, failure)
            target = acting_as(self.impersonate, self.delegates)
            return read_id_token(target.id_token(request, caller.value, audience, failure))
        if login is not None and login.acts_by is not None:
            caller = _refreshed(login.credentials(EVERYTHING), request)
            return read_id_token(_behind(login).id_token(request, caller.value, audience, failure))
        if login is not None and login.is_a_person:
            credentials = self._instead_of_a_person(request, audience, failure)
        else:
            credentials = _id_token_credentials(login, request, audience, failure)
        return read_id_token(_refreshed(credentials, request).value)

    def _instead_of_a_person(self, request: HttpRequest, audience: str, failure: GoogleFailure) -> Any:
        """The metadata server, when nobody named the login: gcloud may have left it on Google's machine."""
        from google.auth.exceptions import DefaultCredentialsError  # noqa: PLC0415 - see google_requests
        from google.oauth2 import id_token  # noqa: PLC0415

        if self.key_file is None and self.file == gclouds_own_file():
            with suppress(DefaultCredentialsError):
                return id_token.fetch_id_token_credentials(audience, request)
        raise failure.misconfigured(A_PERSON_HAS_NONE, OR_A_KEY)


def read_id_token(value: Secret) -> Token:
    """The token with the expiry that it names itself. Raises ValueError when it is not a JWT."""
    from google.auth import jwt  # noqa: PLC0415 - see google_requests

    return Token(value, float(jwt.decode(value.reveal(), verify=False)["exp"]))


def _access_token(
    login: GoogleLogin | None, request: HttpRequest, scopes: Sequence[str], failure: GoogleFailure
) -> Token:
    import google.auth  # noqa: PLC0415

    if login is None:
        return _refreshed(google.auth.default(scopes=scopes, request=request)[0], request)
    if login.acts_by is None:
        return _refreshed(login.credentials(scopes), request)
    caller = _refreshed(login.credentials(EVERYTHING), request)
    return _given(*_behind(login).access_token(request, caller.value, scopes, failure))


def _id_token_credentials(
    login: GoogleLogin | None, request: HttpRequest, audience: str, failure: GoogleFailure
) -> Any:
    from google.oauth2 import id_token, service_account  # noqa: PLC0415

    if login is None:
        return id_token.fetch_id_token_credentials(audience, request)
    if login.is_a_key:
        return service_account.IDTokenCredentials.from_service_account_info(
            login.info, target_audience=audience
        )
    raise failure.misconfigured(NO_ACCOUNT_BEHIND, SET_IMPERSONATE)


def _behind(login: GoogleLogin) -> ActingAs:
    return ActingAs(str(login.acts_by).removesuffix(ACCESS_TOKEN), login.delegates)


def _refreshed(credentials: Any, request: HttpRequest) -> Token:
    credentials.refresh(request)
    expiry: datetime | None = credentials.expiry
    return Token(
        Secret(str(credentials.token)),
        None if expiry is None else expiry.replace(tzinfo=UTC).timestamp(),
    )


def _given(value: Secret, expires_at: str) -> Token:
    return Token(value, datetime.fromisoformat(expires_at).timestamp())
