"""From ADK's ServiceAccount to a credential of ours.

    use_id_token               GoogleIdToken for its audience, else GoogleAccessToken for its scopes
    use_default_credential     the application default credentials, else the key that it holds

ADK holds a key in memory, where our kinds read it from a file: these two keep it there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ostiary.credentials.error import CredentialMisconfigured
from ostiary.credentials.google.access_token import GoogleAccessToken
from ostiary.credentials.google.caller_identity import GoogleIdentity
from ostiary.credentials.google.id_token import GoogleIdToken
from ostiary.credentials.google.login import GoogleLogin
from ostiary.credentials.google.settings import GoogleSettings
from ostiary.secrets import Secret
from ostiary.settings import KeyField

if TYPE_CHECKING:
    from google.adk.auth.auth_credential import ServiceAccount


def from_service_account(account: ServiceAccount) -> GoogleIdToken | GoogleAccessToken:
    """The credential that ADK's model stands for.

    Raises CredentialMisconfigured when an ID token is wanted and the audience is missing, and ValueError
    for an audience that Cloud Run would refuse.
    """
    key = None if account.use_default_credential else account.service_account_credential
    if account.use_id_token:
        who: dict[str, Any] = {"audience": _audience(account)}
        return GoogleIdToken(**who) if key is None else IdTokenByKey(key=_json(key), **who)
    scopes = {"scopes": account.scopes} if account.scopes else {}
    return GoogleAccessToken(**scopes) if key is None else AccessTokenByKey(key=_json(key), **scopes)


def _audience(account: ServiceAccount) -> str:
    if not account.audience:
        raise CredentialMisconfigured(
            "an ID token is for one audience, and the ServiceAccount names none",
            credential="google_id_token",
            endpoint="an MCP server",
            fix="set its audience to the service's address without a path, or use GoogleIdToken(), "
            "which takes it from the server's URL",
        )
    return str(account.audience)


def _json(key: Any) -> Secret:
    document = key.model_dump()
    document["type"] = document.pop("type_", "") or "service_account"
    return Secret(json.dumps(document))


@dataclass(frozen=True, slots=True)
class IdentityByKey(GoogleIdentity):
    """The service account that a key in memory belongs to."""

    key: Secret = field(kw_only=True)

    def login(self) -> GoogleLogin:
        """The key, as if read from a file."""
        return GoogleLogin(json.loads(self.key.reveal()))


class KeyInMemory(GoogleSettings):
    """A service account's key (JSON), held by the process."""

    key: KeyField

    @property
    def identity(self) -> GoogleIdentity:
        """The account it belongs to."""
        return IdentityByKey(key=self.key)


class IdTokenByKey(KeyInMemory, GoogleIdToken):
    """A GoogleIdToken whose key is in memory."""


class AccessTokenByKey(KeyInMemory, GoogleAccessToken):
    """A GoogleAccessToken whose key is in memory."""
