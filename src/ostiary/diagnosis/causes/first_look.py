"""What the first answer gives away: moved, broken, or with somebody else in front."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.diagnosis.diagnosis import Cause, Diagnosis
from ostiary.diagnosis.wanted_credential import WantedCredential, is_from_iap, is_front_ends_page, is_sign_in
from ostiary.oauth.inspection.humanize import span_in_words
from ostiary.oauth.inspection.token_kind import TokenKind
from ostiary.transport.moved import moved_to

if TYPE_CHECKING:
    from ostiary.diagnosis.evidence import Evidence
    from ostiary.diagnosis.server_answer import ServerAnswer


def people_sign_in_there(evidence: Evidence) -> Diagnosis | None:
    """A redirect to a page: what stands in front knows people and their browsers, and no tokens."""
    answer = evidence.call or evidence.probe
    if answer is None or not is_sign_in(answer):
        return None
    there = moved_to(evidence.url, answer.header("location"))
    return Diagnosis(
        Cause.SIGN_IN_PAGE,
        f"What stands before {evidence.url} sends callers to a page where people sign in, "
        f"{there or 'which it does not name'} ({answer.status_line}): it reads no token.",
        "Let this path by it, so that the server reads the token itself; or call the server behind it.",
    )


def front_end_refuses(evidence: Evidence) -> Diagnosis | None:
    """A page for people, where a server would answer with a challenge or in JSON."""
    answer = evidence.call or evidence.probe
    if answer is None or not is_front_ends_page(answer):
        return None
    who = answer.header("server")[:60]
    return Diagnosis(
        Cause.FRONT_END,
        f"What stands before {evidence.url}{f' ({who})' if who else ''} answers {answer.status_line} with a "
        "page for people: the call did not come as far as an MCP server.",
        "Ask who runs that front end (a firewall, a proxy) to let programs through to this path; a token "
        "does not change it.",
    )


def too_many_calls(evidence: Evidence) -> Diagnosis | None:
    """429, with its time."""
    answer = evidence.call or evidence.probe
    if answer is None or answer.status != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    said = f", and says: {answer.said.rstrip('.')}" if answer.said else ""
    return Diagnosis(
        Cause.TOO_MANY_CALLS,
        f"{evidence.url} takes no more calls for now ({answer.status_line}){said}.",
        f"Call again {_when(answer)}, and less often; a token does not change it.",
    )


def server_has_moved(evidence: Evidence) -> Diagnosis | None:
    """A redirect: a credential does not follow it, so the new address has to be named."""
    answer = evidence.call or evidence.probe
    if answer is None or not 300 <= answer.status < 400 or is_from_iap(answer):
        return None
    location = answer.header("location")
    there = moved_to(evidence.url, location)
    if there == evidence.url:
        return Diagnosis(
            Cause.MOVED,
            f"{evidence.url} sends callers back to itself ({answer.status_line}): it is made for browsers, "
            "which come again with a cookie or by https.",
            "Ask who runs the server, or what stands before it, to let programs through to this path.",
        )
    same = there is not None and there.origin == evidence.url.origin
    return Diagnosis(
        Cause.MOVED,
        f"{evidence.url} sends callers on to {there or 'an address that cannot be called'} "
        f"({answer.status_line}), and no credential follows there.",
        f"Write {there} as its url."
        if same
        else "Use the new address, once you are sure that it is the server's own.",
    )


def server_is_broken(evidence: Evidence) -> Diagnosis | None:
    """5xx without a word of JSON-RPC."""
    answer = evidence.call or evidence.probe
    if answer is None or answer.status < 500 or answer.message is not None:
        return None
    return Diagnosis(
        Cause.SERVER_BROKEN,
        f"{evidence.url} is there and does not work: it answers {answer.status_line}.",
        "The cause is in the server's log; no credential changes it."
        + (f" It wants to be asked again {_when(answer)}." if answer.retry_after is not None else ""),
    )


def identity_aware_proxy_is_in_front(evidence: Evidence) -> Diagnosis | None:
    """IAP wants a token for itself, or for its OAuth client, not for the service."""
    answer = evidence.call or evidence.probe
    if (
        answer is None
        or evidence.wanted is not WantedCredential.IAP
        or not (is_from_iap(answer) or answer.is_refusal)
    ):
        return None
    jwt = evidence.sent.token.jwt if evidence.sent and evidence.sent.token else None
    ours = "no token was sent"
    if evidence.sent is not None:
        ours = (
            f"ours is for {', '.join(jwt.audiences)}" if jwt and jwt.audiences else "ours names no audience"
        )
    if evidence.sent and evidence.sent.token and evidence.sent.token.kind is TokenKind.GOOGLE_ACCESS_TOKEN:
        ours = "ours is an access token"
    return Diagnosis(
        Cause.IAP_IN_FRONT,
        f"Identity-Aware Proxy stands in front of {evidence.url.origin} and wants an ID token for its own "
        f"OAuth client; {ours}.",
        "Use a credential google_id_token with audience: the client ID that IAP's settings name "
        "(....apps.googleusercontent.com), and give its account roles/iap.httpsResourceAccessor.",
    )


def _when(answer: ServerAnswer) -> str:
    return "later" if answer.retry_after is None else f"in {span_in_words(answer.retry_after)}"
