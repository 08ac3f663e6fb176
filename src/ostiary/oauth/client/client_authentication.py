"""How a client proves to a token endpoint who it is. RFC 6749 section 2.3, RFC 7523 section 2.2, RFC 8705.

client_secret_basic   name and secret in the Authorization header
client_secret_post    name and secret in the form
private_key_jwt       a short-lived statement, signed with the client's key
tls_client_auth       a certificate, on the connection itself
none                  a public client only says its name
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote_plus

AuthMethod = Literal[
    "client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "none"
]
SigningAlgorithm = Literal["ES256", "RS256", "EdDSA"]

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class ClientAuthentication:
    """What authenticates a client on one request: fields of its form, and headers."""

    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def client_secret_basic(client_id: str, client_secret: str) -> ClientAuthentication:
    """Both form-encoded before they are joined (RFC 6749 section 2.3.1), so that either may have a colon."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return ClientAuthentication(
        headers={"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    )


def client_secret_post(client_id: str, client_secret: str) -> ClientAuthentication:
    """In the form, for servers that can't read the header."""
    return ClientAuthentication({"client_id": client_id, "client_secret": client_secret})


def client_name(client_id: str) -> ClientAuthentication:
    """Only who it is: a public client, or one whose certificate speaks for it."""
    return ClientAuthentication({"client_id": client_id})


def private_key_jwt(client_id: str, assertion: str) -> ClientAuthentication:
    """The client's name and its assertion (RFC 7521 section 4.2)."""
    return ClientAuthentication(
        {"client_id": client_id, "client_assertion_type": JWT_BEARER, "client_assertion": assertion}
    )
