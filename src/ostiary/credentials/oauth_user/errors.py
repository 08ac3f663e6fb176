"""What can go wrong when a person signs in, and what they can do about it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ostiary.credentials.error import CredentialMisconfigured, CredentialUnreachable
from ostiary.credentials.oauth_user.loopback_redirect import RedirectPortTaken
from ostiary.credentials.vault.vault import VaultError
from ostiary.oauth.canonical_url import UrlRefused
from ostiary.oauth.client.authorization_response import AuthorizationRefused, NotOurs
from ostiary.oauth.client.client_registration import RegistrationRefused
from ostiary.oauth.client.pkce import PkceUnsupported
from ostiary.oauth.client.server_metadata import MetadataRefused
from ostiary.oauth.issuer_identification import WrongIssuer
from ostiary.transport.fetch import FetchError

if TYPE_CHECKING:
    from ostiary.oauth.canonical_url import CanonicalUrl

KIND = "oauth_user"

_FIXES: tuple[tuple[type[Exception], str], ...] = (
    (AuthorizationRefused, "sign in again, and allow what is asked for"),
    (WrongIssuer, "do not sign in there; tell who runs the server"),
    (NotOurs, "sign in again"),
    (PkceUnsupported, "its operator must turn PKCE on, and say so"),
    (MetadataRefused, "tell who runs the authorization server"),
    (UrlRefused, "tell who runs the authorization server"),
    (RegistrationRefused, "register a client there by hand, and set client_id"),
    (RedirectPortTaken, "end the program that listens there, or set redirect_uri to one with another port"),
    (VaultError, "then sign in again"),
    (TimeoutError, "sign in again, and finish in the browser"),
)


def needs_sign_in(problem: str, server_url: CanonicalUrl) -> CredentialMisconfigured:
    """Only a person can help."""
    return CredentialMisconfigured(
        problem, credential=KIND, endpoint=str(server_url), fix=f"run `ostiary login {server_url}`"
    )


@contextlib.contextmanager
def told_to_the_person(server_url: CanonicalUrl) -> Iterator[None]:
    """Give each failure inside the block as a CredentialError with its fix."""
    try:
        yield
    except FetchError as error:
        fix = "see whether this machine reaches it, and try again"
        raise CredentialUnreachable(str(error), credential=KIND, endpoint=str(server_url), fix=fix) from None
    except tuple(kind for kind, _ in _FIXES) as error:
        fix = next(fix for kind, fix in _FIXES if isinstance(error, kind))
        raise CredentialMisconfigured(
            str(error), credential=KIND, endpoint=str(server_url), fix=fix
        ) from None
