"""The IAM Credentials API: tokens of a service account, for whoever may act as it.

google-auth has classes of its own for it, which know one address only.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ostiary.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.credentials.google.failure import GoogleFailure
    from ostiary.credentials.google.requests import HttpRequest

IAM_ENDPOINT = "https://iamcredentials.googleapis.com/"
IAM_ENDPOINT_OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"
"""gcloud's own variable for another address of the API, such as a local one."""
ACCESS_TOKEN, ID_TOKEN = ":generateAccessToken", ":generateIdToken"


@dataclass(frozen=True, slots=True)
class ActingAs:
    """A service account that somebody acts as, by the account's URL at the API."""

    url: str
    delegates: tuple[str, ...] = ()
    """E-mail addresses of the accounts in between, the caller's side first."""

    @property
    def account(self) -> str:
        """Its e-mail address."""
        return self.url.rpartition("/")[2]

    def access_token(
        self, request: HttpRequest, caller: Secret, scopes: Sequence[str], failure: GoogleFailure
    ) -> tuple[Secret, str]:
        """An access token, and when it expires in RFC 3339."""
        answer = self._ask(request, caller, ACCESS_TOKEN, {"scope": list(scopes)}, failure)
        return Secret(str(answer["accessToken"])), str(answer["expireTime"])

    def id_token(self, request: HttpRequest, caller: Secret, audience: str, failure: GoogleFailure) -> Secret:
        """An ID token for an audience, with the account's e-mail address in it."""
        wanted = {"audience": audience, "includeEmail": True}
        return Secret(str(self._ask(request, caller, ID_TOKEN, wanted, failure)["token"]))

    def _ask(
        self,
        request: HttpRequest,
        caller: Secret,
        method: str,
        wanted: Mapping[str, Any],
        failure: GoogleFailure,
    ) -> dict[str, Any]:
        delegates = [_whole(account) for account in self.delegates]
        response = request(
            url=self.url + method,
            method="POST",
            headers={"authorization": f"Bearer {caller.reveal()}", "content-type": "application/json"},
            body=json.dumps({**wanted, **({"delegates": delegates} if delegates else {})}).encode(),
        )
        if response.status != 200:
            problem = f"iamcredentials answered {response.status} when asked for a token of {self.account}"
            raise failure.unreachable(problem, failure.what_google_may_miss())
        return dict(json.loads(response.data))


def acting_as(account: str, delegates: tuple[str, ...] = ()) -> ActingAs:
    """A service account by its e-mail address."""
    root = os.environ.get(IAM_ENDPOINT_OVERRIDE) or IAM_ENDPOINT
    return ActingAs(f"{root.rstrip('/')}/v1/projects/-/serviceAccounts/{account}", delegates)


def _whole(account: str) -> str:
    """A file of Google's may have whole names already."""
    return account if "/" in account else f"projects/-/serviceAccounts/{account}"
