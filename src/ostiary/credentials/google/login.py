"""A credentials file of Google's, told apart by its `type`, and the login that it stands for.

    service_account               a service account's key
    authorized_user               a person, by `gcloud auth application-default login`
    external_account              workload identity federation
    impersonated_service_account  one of the others, acting as a service account

A file may name a service account to act as, by the URL of iamcredentials that gives its tokens. That step is
ours and not google-auth's, which knows it for access tokens alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOKEN_HOST_OVERRIDE = "CLOUDSDK_AUTH_TOKEN_HOST"  # noqa: S105 - a variable's name
"""gcloud's own variable for another token endpoint for people, such as a local one."""
AWS_TOKEN = "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105 - a type's name
ACT_AS = ("service_account_impersonation_url", "service_account_impersonation_options")


class MalformedFile(ValueError):
    """A file that is none of Google's."""


@dataclass(frozen=True, slots=True)
class GoogleLogin:
    """Who a file says we are. info: its content, with whom it acts as taken out."""

    info: Mapping[str, Any]
    acts_by: str | None = None
    """The URL of iamcredentials that gives access tokens of the account that this login acts as."""
    delegates: tuple[str, ...] = ()
    """The accounts between this login and that one, each a token creator of the next."""

    @property
    def is_a_person(self) -> bool:
        """Whether somebody logged in by browser."""
        return self.info.get("type") in {"authorized_user", "external_account_authorized_user"}

    @property
    def is_a_key(self) -> bool:
        """Whether it is a service account's own key; a file without a type is taken for one."""
        return bool(self.info.get("type", "service_account") == "service_account")

    def credentials(self, scopes: Sequence[str]) -> Any:
        """google-auth's object for it, unrefreshed. Raises ValueError for a file of another shape."""
        from google.auth import external_account_authorized_user  # noqa: PLC0415 - see google_requests
        from google.oauth2 import credentials, service_account  # noqa: PLC0415

        match self.info.get("type", "service_account"):
            case "service_account":
                return service_account.Credentials.from_service_account_info(self.info, scopes=scopes)
            case "authorized_user":
                person = credentials.Credentials.from_authorized_user_info(self.info, scopes=scopes)
                elsewhere = os.environ.get(TOKEN_HOST_OVERRIDE)
                return person.with_token_uri(elsewhere) if elsewhere else person
            case "external_account_authorized_user":
                return external_account_authorized_user.Credentials.from_info(self.info).with_scopes(scopes)
            case "external_account":
                return self._federated(scopes)
        raise MalformedFile(f"its type is {self.info['type']!r}, which is none of Google's credentials files")

    def _federated(self, scopes: Sequence[str]) -> Any:
        from google.auth import aws, identity_pool, pluggable  # noqa: PLC0415

        kind: Any = identity_pool
        if self.info.get("subject_token_type") == AWS_TOKEN:
            kind = aws
        elif "executable" in (self.info.get("credential_source") or {}):
            kind = pluggable
        return kind.Credentials.from_info(self.info, scopes=scopes)


def read_login(path: Path) -> GoogleLogin:
    """Read a credentials file. Raises OSError, or ValueError when it is none."""
    info = json.loads(path.read_text("utf-8-sig"))
    if not isinstance(info, dict):
        raise MalformedFile("it holds no settings")
    source: object = info
    if info.get("type") == "impersonated_service_account":
        source = info.get("source_credentials")
    if not isinstance(source, dict):
        raise MalformedFile("it acts as a service account, and does not say who does: source_credentials")
    acts_by = info.get("service_account_impersonation_url")
    return GoogleLogin(
        {name: value for name, value in source.items() if name not in ACT_AS},
        acts_by=acts_by if isinstance(acts_by, str) and acts_by else None,
        delegates=tuple(info.get("delegates") or ()),
    )


def default_file() -> Path | None:
    """The application default credentials (AIP-4110); None when the metadata server is to say who we are."""
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if named:
        return Path(named)
    stored = gclouds_own_file()
    return stored if stored.is_file() else None


def gclouds_own_file() -> Path:
    """Where `gcloud auth application-default login` leaves its login."""
    return _gclouds_folder() / "application_default_credentials.json"


def _gclouds_folder() -> Path:
    if told := os.environ.get("CLOUDSDK_CONFIG"):
        return Path(told)
    if os.name == "nt":
        return Path(os.environ.get("APPDATA", "C:\\")) / "gcloud"
    try:
        return Path.home() / ".config" / "gcloud"
    except RuntimeError:  # as a container's user without a name
        return Path("/.config/gcloud")
