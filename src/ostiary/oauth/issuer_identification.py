"""Which authorization server answered. RFC 9207.

A client that talks to several must know whose answer it holds before it acts on any of it, or one of them
could collect the codes of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ADVERTISED = "authorization_response_iss_parameter_supported"


class WrongIssuer(ValueError):
    """The answer is not from the authorization server that was asked. Nothing of it may be used or shown."""


def check_issuer(iss: str | None, *, issuer: str, metadata: Mapping[str, Any]) -> None:
    """Raise WrongIssuer unless the answer may come from `issuer` (section 2.4).

    iss: the answer's parameter, None without one; issuer: as recorded before the redirect. The two are
    compared letter for letter: a slash more is another issuer.
    """
    if iss is None and metadata.get(ADVERTISED) is True:
        raise WrongIssuer(f"the answer does not say its issuer, which {issuer} promised to")
    if iss is not None and iss != issuer:
        raise WrongIssuer(f"the answer is from another issuer than {issuer}, which was asked")
