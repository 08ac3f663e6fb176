"""The credential could not be had, or none was named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ostiary.diagnosis.diagnosis import Cause, Diagnosis
from ostiary.diagnosis.wanted_credential import WantedCredential
from ostiary.oauth.inspection.token_explanation import origin_on_cloud_run

if TYPE_CHECKING:
    from ostiary.diagnosis.evidence import Evidence

_OUT_OF_TIME = re.compile(
    r"reasonable timeframe|iat and exp|used too early|not yet valid|clock", re.IGNORECASE
)


def clock_is_wrong(evidence: Evidence) -> Diagnosis | None:
    """Google, and others, refuse an assertion that was signed at another time than theirs."""
    missing = evidence.no_token
    if missing is None or _OUT_OF_TIME.search(missing.problem) is None:
        return None
    return Diagnosis(
        Cause.OUR_CLOCK,
        f"The issuer of credential {evidence.credential} finds that our time is wrong: {missing.problem}.",
        "Set this machine's clock (NTP); a token is only given to who knows what time it is.",
    )


def credential_is_unavailable(evidence: Evidence) -> Diagnosis | None:
    """A key file that can't be read, a secret that its issuer does not take, no identity at all."""
    missing = evidence.no_token
    if missing is None:
        return None
    wish = f"{evidence.url} wants {evidence.wanted}, and c" if evidence.chosen_by_us else "C"
    return Diagnosis(
        Cause.CREDENTIAL_UNAVAILABLE,
        f"{wish}redential {evidence.credential} for {missing.endpoint} cannot be had: {missing.problem}.",
        f"{missing.fix[:1].upper()}{missing.fix[1:]}.",
    )


def credential_was_only_found_by_us(evidence: Evidence) -> Diagnosis | None:
    """Nobody named one, and the one that the server seems to want works."""
    if not (evidence.chosen_by_us and evidence.works):
        return None
    return Diagnosis(
        Cause.NO_CREDENTIAL,
        f"No credential is named for {evidence.url}, which wants {evidence.wanted}; with credential "
        f"{evidence.credential}, tried just now, the call works.",
        f"Say --credential {evidence.credential}, or name the server in an ostiary.yaml with "
        f"credential: {{type: {evidence.credential}}}.",
    )


def no_credential_was_sent(evidence: Evidence) -> Diagnosis | None:
    """Refused, and there was nothing to refuse."""
    if evidence.sent is not None or evidence.call is None or not evidence.call.is_refusal:
        return None
    return Diagnosis(
        Cause.NO_CREDENTIAL,
        f"{evidence.url} wants {evidence.wanted}{_by_whom(evidence)}, and none was sent.",
        _what_to_send(evidence),
    )


def _by_whom(evidence: Evidence) -> str:
    metadata = evidence.metadata
    if evidence.wanted is not WantedCredential.OAUTH or metadata is None or not metadata.issuers:
        return ""
    return f" of {' or '.join(metadata.issuers)}"


def _what_to_send(evidence: Evidence) -> str:
    match evidence.wanted:
        case WantedCredential.GOOGLE_ID_TOKEN:
            audience = origin_on_cloud_run(str(evidence.url)) or evidence.url.origin
            return f"Use a credential google_id_token; its audience is {audience}."
        case WantedCredential.OAUTH:
            scopes = evidence.metadata.scopes if evidence.metadata else ()
            wish = f", with scopes: [{', '.join(scopes)}]" if scopes else ""
            return (
                f"A program registers a client there and uses a credential client_credentials{wish}; "
                f"a person signs in with `ostiary login {evidence.url}` and uses oauth_user."
            )
        case WantedCredential.OTHER_SCHEME if evidence.call is not None:
            return (
                f"It asks for the scheme {evidence.call.scheme}: use a credential header with what it takes."
            )
    return (
        "Ask who runs it what it takes. A token that you have goes into a credential bearer, an API key "
        "into a credential header; google_id_token and client_credentials get their own."
    )
