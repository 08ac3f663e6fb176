"""What kind of credential a server wants, by how it refuses a call without one."""

from __future__ import annotations

import re
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.oauth.resource_server.access_token import GOOGLE

if TYPE_CHECKING:
    from ostiary.diagnosis.server_answer import ResourceMetadata, ServerAnswer

_CLOUD_RUN = re.compile(r"Your client does not have permission to (the requested URL|get URL)")
_SIGN_IN = re.compile(
    r"^https?://(?:[\w-]+\.)*(?:accounts|auth|login|sso|signin)[.-]"
    r"|\b(?:log-?in|sign-?in|sso|saml2?|oauth2?|authorize|authenticate)\b|[?&](?:client_id|SAMLRequest)=",
    re.IGNORECASE,
)
_IAP_HEADER = "x-goog-iap-generated-response"
_IAP_SIGN_IN = re.compile(r"https://accounts\.google\.com/o/oauth2/.*client_id=")


class WantedCredential(StrEnum):
    """Kinds of credentials, in words."""

    NOTHING = "no credential"
    GOOGLE_ID_TOKEN = "a Google ID token"  # noqa: S105 - a name, as all of these
    IAP = "an ID token for Google's Identity-Aware Proxy"
    OAUTH = "an OAuth access token"
    BEARER = "a bearer token"
    OTHER_SCHEME = "another kind of authentication"
    UNKNOWN = "a credential that it does not name"
    UNTOLD = "nothing that can be told: it did not answer as an MCP server"


def wanted(probe: ServerAnswer | None, metadata: ResourceMetadata | None) -> WantedCredential:
    """Decide. probe: the answer to a call without a credential; metadata: the server's, by RFC 9728."""
    if probe is None:
        return WantedCredential.UNTOLD
    if is_from_iap(probe):
        return WantedCredential.IAP
    if is_front_ends_page(probe):
        return WantedCredential.UNTOLD
    if not probe.is_refusal:
        return WantedCredential.UNTOLD if probe.message is None else WantedCredential.NOTHING
    return _wanted_by(probe, metadata)


def _wanted_by(probe: ServerAnswer, metadata: ResourceMetadata | None) -> WantedCredential:
    issuers = metadata.issuers if metadata else ()
    if is_from_cloud_run(probe) or (issuers and GOOGLE.issuperset(issuers)):
        return WantedCredential.GOOGLE_ID_TOKEN
    if issuers:
        return WantedCredential.OAUTH
    if probe.scheme in {"bearer", "dpop"}:
        return WantedCredential.BEARER
    return WantedCredential.OTHER_SCHEME if probe.scheme else WantedCredential.UNKNOWN


def is_from_cloud_run(answer: ServerAnswer) -> bool:
    """Whether Cloud Run's front end refused, and not the service behind it."""
    return answer.is_refusal and answer.is_html and _CLOUD_RUN.search(answer.body) is not None


def is_front_ends_page(answer: ServerAnswer) -> bool:
    """Whether a page for people refuses: a firewall's or a proxy's, for an MCP server would name a scheme."""
    return (
        answer.status == HTTPStatus.FORBIDDEN
        and answer.is_html
        and not answer.scheme
        and not is_from_cloud_run(answer)
    )


def is_sign_in(answer: ServerAnswer) -> bool:
    """Whether it sends people to where they sign in, with a browser."""
    return (
        300 <= answer.status < 400
        and not is_from_iap(answer)
        and _SIGN_IN.search(answer.header("location")) is not None
    )


def is_from_iap(answer: ServerAnswer) -> bool:
    """Whether Identity-Aware Proxy refused: its header, its words, or its way to the sign-in page."""
    return (
        answer.headers.get(_IAP_HEADER, "").lower() == "true"
        or (answer.is_refusal and answer.body.startswith("Invalid IAP credentials"))
        or _IAP_SIGN_IN.match(answer.header("location")) is not None
    )
