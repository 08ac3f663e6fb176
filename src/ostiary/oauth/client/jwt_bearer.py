"""A JWT as a grant, and as a client's proof of itself. RFC 7523 sections 2.1 and 2.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ostiary.oauth.client.client_authentication import JWT_BEARER as CLIENT_ASSERTION_TYPE

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def jwt_bearer_form(
    assertion: str, *, scopes: Sequence[str] = (), resource: str | None = None, audience: str | None = None
) -> dict[str, str]:
    """The JWT is the grant: whoever it speaks of gets a token (section 2.1)."""
    return {"grant_type": GRANT_TYPE, "assertion": assertion, **_wanted(scopes, resource, audience)}


def client_assertion_form(
    assertion: str, *, scopes: Sequence[str] = (), resource: str | None = None, audience: str | None = None
) -> dict[str, str]:
    """The JWT proves the client, which asks for a token of its own (section 2.2, RFC 6749 section 4.4)."""
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": CLIENT_ASSERTION_TYPE,
        "client_assertion": assertion,
        **_wanted(scopes, resource, audience),
    }


def on_behalf_of_form(assertion: str, *, scopes: Sequence[str]) -> dict[str, str]:
    """Entra ID's way to exchange a caller's access token: a JWT grant with a word of its own."""
    return {**jwt_bearer_form(assertion, scopes=scopes), "requested_token_use": "on_behalf_of"}


def _wanted(scopes: Sequence[str], resource: str | None, audience: str | None) -> Mapping[str, str]:
    wanted = {"scope": " ".join(scopes), "resource": resource, "audience": audience}
    return {name: value for name, value in wanted.items() if value}
