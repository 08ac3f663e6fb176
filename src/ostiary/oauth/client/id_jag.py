"""Identity assertion authorization grants: a company's IdP vouches for its user at a server's issuer.

draft-ietf-oauth-identity-assertion-authz-grant; MCP's enterprise-managed authorization.

    first     at the IdP: the user's ID token → an ID-JAG for the server's issuer   RFC 8693
    second    at that issuer: the ID-JAG → an access token for the server           RFC 7523
"""

from __future__ import annotations

from collections.abc import Sequence

from ostiary.oauth.client.jwt_bearer import jwt_bearer_form
from ostiary.oauth.client.token_exchange import TOKEN_TYPES, TypedToken, exchange_form

ID_JAG = TOKEN_TYPES["id-jag"]
TOKEN_TYPE = "N_A"  # noqa: S105 - an ID-JAG is no access token, and this says so


def ask_idp_form(
    subject: TypedToken, *, issuer: str, resource: str, scopes: Sequence[str] = ()
) -> dict[str, str]:
    """The first step. issuer: the server's, as it names itself; resource: the server."""
    return exchange_form(
        subject, audience=issuer, resource=resource, scopes=scopes, requested_token_type=ID_JAG
    )


def redeem_form(id_jag: str, *, scopes: Sequence[str] = ()) -> dict[str, str]:
    """The second step. The server is named in the ID-JAG already."""
    return jwt_bearer_form(id_jag, scopes=scopes)
