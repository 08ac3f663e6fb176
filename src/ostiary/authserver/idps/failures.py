"""What goes wrong at a provider, told as one of the errors of `idp`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from ostiary.authserver.idps.idp import IdpAnswerRefused, IdpDenied, IdpError, IdpUnavailable
from ostiary.oauth.canonical_url import UrlRefused
from ostiary.oauth.client.authorization_response import AuthorizationRefused, NotOurs
from ostiary.oauth.client.client_registration import RegistrationRefused
from ostiary.oauth.client.id_token import IdTokenRefused
from ostiary.oauth.client.pkce import PkceUnsupported
from ostiary.oauth.client.server_metadata import MetadataRefused
from ostiary.oauth.client.token_response import TokenRequestRefused, TokenResponseUnreadable, in_brief
from ostiary.oauth.client.userinfo import UserinfoRefused
from ostiary.oauth.errors import InvalidRequest, TemporarilyUnavailable, TokenRefused
from ostiary.oauth.issuer_identification import WrongIssuer
from ostiary.secrets import SecretUnavailable
from ostiary.transport.fetch import FetchError, NotReached

_NONSENSE = (
    IdTokenRefused,
    MetadataRefused,
    NotOurs,
    PkceUnsupported,
    RegistrationRefused,
    TokenRefused,
    TokenResponseUnreadable,
    UrlRefused,
    UserinfoRefused,
    WrongIssuer,
    InvalidRequest,
)
_PASSING = frozenset({"server_error", "temporarily_unavailable"})
_NOT_SHOWN = re.compile(r"[^\x20-\x7e]+")


@contextlib.contextmanager
def as_idp_errors(idp: str) -> Iterator[None]:
    """Give each failure inside the block as an IdpError that names the entry. No secret is in it."""
    try:
        yield
    except AuthorizationRefused as refused:
        said = in_brief(_plain(refused.error), _plain(refused.description) or None)
        if refused.error in _PASSING:
            raise IdpUnavailable(f"identity provider {idp} says {said}", may_have_spent=False) from None
        raise IdpDenied(f"identity provider {idp} says {said}", error=_plain(refused.error)[:100]) from None
    except TokenRequestRefused as refused:
        said = in_brief(refused.error, refused.description)
        raise IdpAnswerRefused(
            f"identity provider {idp} gives no tokens: {said}", may_have_spent=False
        ) from None
    except FetchError as error:
        spent = not isinstance(error, NotReached)
        raise IdpUnavailable(f"identity provider {idp}: {error}", may_have_spent=spent) from None
    except TemporarilyUnavailable as error:
        raise IdpUnavailable(
            f"identity provider {idp}: {error.detail or error.description}", retry_after=error.retry_after
        ) from None
    except SecretUnavailable as error:
        raise IdpUnavailable(
            f"our secret at identity provider {idp}: {error}", may_have_spent=False
        ) from None
    except _NONSENSE as error:
        detail = getattr(error, "detail", "")
        raise IdpAnswerRefused(
            f"identity provider {idp}: {error}" + (f" ({detail})" if detail else "")
        ) from None


@contextlib.contextmanager
def nothing_spent() -> Iterator[None]:
    """For what comes before a token is shown: a failure inside the block tells that nothing was spent."""
    try:
        yield
    except IdpError as error:
        error.may_have_spent = False
        raise


def _plain(said: str) -> str:
    return _NOT_SHOWN.sub(" ", said).strip()
