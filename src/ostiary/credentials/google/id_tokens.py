"""Fetch a Google ID token with google-auth, in a thread, since google-auth blocks.

google-auth is imported in that thread, on first use: importing it is slow, and it reads
GCE_METADATA_HOST as it is imported.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ostiary.credentials.error import CredentialError, CredentialMisconfigured, CredentialUnreachable
from ostiary.credentials.token import Token
from ostiary.secrets import Secret

if TYPE_CHECKING:
    from pathlib import Path

FETCH_TIMEOUT = 30.0
"""Seconds until callers stop waiting; google-auth needs ten to see that it is not on Google."""
REQUEST_TIMEOUT = 10.0
"""Seconds for one request; google-auth would wait two minutes."""
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
IAM_ENDPOINT = "https://iamcredentials.googleapis.com/"
IAM_ENDPOINT_OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"
"""gcloud's own variable for another address of the API, such as a local one."""

NO_IDENTITY = (
    "run where there is a metadata server, point GOOGLE_APPLICATION_CREDENTIALS or key_file to a service "
    "account's key, or set impersonate (a person's own login cannot choose an audience)"
)

HttpRequest = Callable[..., Any]
"""google.auth.transport.Request: url, method, body, headers → response."""


@dataclass(frozen=True, slots=True)
class GoogleIdTokenSource:
    """One audience's tokens, from one Google identity."""

    audience: str
    key_file: Path | None = None
    impersonate: str | None = None
    credential: ClassVar[str] = "google_id_token"

    @property
    def endpoint(self) -> str:
        """Whom the tokens are for."""
        return self.audience

    async def fetch(self) -> Token:
        """Ask Google. Raises CredentialError."""
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                return await asyncio.to_thread(self._fetch)
        except TimeoutError:
            problem = f"Google did not answer within {FETCH_TIMEOUT:.0f} seconds"
            raise self._unreachable(problem, "see whether this machine reaches it") from None

    def _fetch(self) -> Token:
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - see the module's first lines

        with google_requests() as request:
            try:
                if self.impersonate is not None:
                    return read_id_token(self._ask_iam(request, self.impersonate))
                return read_id_token(self._refreshed(self._id_token_credentials(request), request))
            except (GoogleAuthError, OSError, ValueError) as error:
                raise self._explained(error) from None
            except (LookupError, TypeError, AttributeError):
                # google-auth trusts the shape of what it is answered
                raise self._unreachable("it was not Google that answered", "see what does") from None

    def _explained(self, error: Exception) -> CredentialError:
        from google.auth import exceptions  # noqa: PLC0415

        match error:
            case exceptions.DefaultCredentialsError() if self.key_file is None:
                return self._misconfigured(in_words(error), NO_IDENTITY)
            case exceptions.TransportError():
                return self._unreachable(in_words(error), "see whether this machine reaches it")
            case exceptions.RefreshError():
                return self._unreachable(in_words(error), self._what_google_may_miss())
        return self._misconfigured(in_words(error), "see whether the key file is as Google gave it to you")

    def _id_token_credentials(self, request: HttpRequest) -> Any:
        from google.oauth2 import id_token, service_account  # noqa: PLC0415

        if self.key_file is None:
            return id_token.fetch_id_token_credentials(self.audience, request)
        return service_account.IDTokenCredentials.from_service_account_file(
            str(self.key_file), target_audience=self.audience
        )

    def _ask_iam(self, request: HttpRequest, account: str) -> str:
        """generateIdToken of iamcredentials; google-auth's own class for it knows one address only."""
        root = os.environ.get(IAM_ENDPOINT_OVERRIDE) or IAM_ENDPOINT
        access_token = self._refreshed(self._caller_credentials(request), request)
        response = request(
            url=f"{root.rstrip('/')}/v1/projects/-/serviceAccounts/{account}:generateIdToken",
            method="POST",
            headers={"authorization": f"Bearer {access_token}", "content-type": "application/json"},
            body=json.dumps({"audience": self.audience, "includeEmail": True}).encode(),
        )
        if response.status != 200:
            problem = f"iamcredentials answered {response.status} when asked for a token of {account}"
            raise self._unreachable(problem, self._what_google_may_miss())
        return str(json.loads(response.data)["token"])

    def _caller_credentials(self, request: HttpRequest) -> Any:
        import google.auth  # noqa: PLC0415
        from google.oauth2 import service_account  # noqa: PLC0415

        if self.key_file is None:
            return google.auth.default(scopes=SCOPES, request=request)[0]
        return service_account.Credentials.from_service_account_file(str(self.key_file), scopes=SCOPES)

    @staticmethod
    def _refreshed(credentials: Any, request: HttpRequest) -> str:
        credentials.refresh(request)
        return str(credentials.token)

    def _what_google_may_miss(self) -> str:
        if self.impersonate is not None:
            return f"grant the caller roles/iam.serviceAccountOpenIdTokenCreator on {self.impersonate}"
        return "see whether the service account and its key still exist"

    def _misconfigured(self, problem: str, fix: str) -> CredentialMisconfigured:
        return CredentialMisconfigured(problem, credential=self.credential, endpoint=self.audience, fix=fix)

    def _unreachable(self, problem: str, fix: str) -> CredentialUnreachable:
        return CredentialUnreachable(problem, credential=self.credential, endpoint=self.audience, fix=fix)


@contextmanager
def google_requests() -> Iterator[HttpRequest]:
    """google-auth's HTTP transport, with no request longer than REQUEST_TIMEOUT."""
    import requests  # noqa: PLC0415
    from google.auth.transport.requests import Request  # noqa: PLC0415

    with requests.Session() as session:
        transport = Request(session)

        def request(url: str, method: str = "GET", timeout: float | None = None, **options: Any) -> Any:
            return transport(url, method, timeout=min(timeout or REQUEST_TIMEOUT, REQUEST_TIMEOUT), **options)

        yield request


def read_id_token(value: str) -> Token:
    """The token with the expiry that it names itself. Raises ValueError when it is not a JWT."""
    from google.auth import jwt  # noqa: PLC0415

    return Token(Secret(value), float(jwt.decode(value, verify=False)["exp"]))


def in_words(error: Exception) -> str:
    """One line of an error; never its further arguments, which may be a whole answer with a token in it."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else (error.args or (error,))[0]
    return " ".join(str(said).split())[:300].rstrip(".")
