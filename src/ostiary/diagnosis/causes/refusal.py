"""The token looks good, and the server refuses it all the same: its clock, its list, its own words."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.diagnosis.diagnosis import Cause, Diagnosis
from ostiary.diagnosis.wanted_credential import is_from_cloud_run
from ostiary.oauth.inspection.humanize import span_in_words

if TYPE_CHECKING:
    from ostiary.diagnosis.evidence import Evidence
    from ostiary.diagnosis.server_answer import ServerAnswer

MOST_DIFFERENCE = 60.0
"""Seconds between two clocks that most servers forgive."""


def clocks_differ(evidence: Evidence) -> Diagnosis | None:
    """The Date header is the server's clock (RFC 9110 section 6.6.1)."""
    answer = evidence.call
    ahead = _server_is_ahead(answer) if answer and answer.is_refusal and evidence.sent else None
    if ahead is None or abs(ahead) <= MOST_DIFFERENCE:
        return None
    ours = "behind" if ahead > 0 else "ahead of"
    return Diagnosis(
        Cause.OUR_CLOCK,
        f"The clocks differ: ours is {span_in_words(ahead)} {ours} that of {evidence.url.origin}, so that "
        f"it takes the token for {'expired' if ahead > 0 else 'one from the future'}.",
        "Set the clock (NTP) of the one that is wrong.",
    )


def caller_is_no_invoker(evidence: Evidence) -> Diagnosis | None:
    """Cloud Run knows the caller, and they may not."""
    answer = evidence.call
    if answer is None or evidence.sent is None or answer.status != HTTPStatus.FORBIDDEN:
        return None
    if not is_from_cloud_run(answer):
        return None
    who = _email(evidence) or "its account"
    return Diagnosis(
        Cause.MISSING_INVOKER,
        f"Cloud Run knows who calls ({who}), and they may not call {evidence.url.origin}.",
        f"Give {who} roles/run.invoker on the service: gcloud run services add-iam-policy-binding SERVICE "
        f"--member=serviceAccount:{_email(evidence) or 'ACCOUNT'} --role=roles/run.invoker.",
    )


def caller_may_not(evidence: Evidence) -> Diagnosis | None:
    """Another server that says 403 knows the caller, too."""
    answer = evidence.call
    if answer is None or evidence.sent is None or answer.status != HTTPStatus.FORBIDDEN:
        return None
    who = _email(evidence) or _subject(evidence) or "the holder of the token"
    return Diagnosis(
        Cause.NOT_ALLOWED,
        f"{evidence.url} takes the token and lets {who} not in{_in_its_words(answer)}.",
        "Ask who runs the server to put them on its list.",
    )


def token_is_not_taken(evidence: Evidence) -> Diagnosis | None:
    """What is left: it is not taken, and only the server knows why."""
    answer = evidence.call
    if answer is None or evidence.sent is None or not answer.is_refusal:
        return None
    token = evidence.sent.token
    kind = f", {_with_article(token.kind)}," if token else ""
    return Diagnosis(
        Cause.TOKEN_REFUSED,
        f"{evidence.url} refuses what credential {evidence.credential} sends{kind} with {answer.status_line}"
        f"{_in_its_words(answer)}.",
        "See whether it was revoked, or mistyped; the server's log says more than it tells.",
    )


def _server_is_ahead(answer: ServerAnswer) -> float | None:
    try:
        return parsedate_to_datetime(answer.headers["date"]).timestamp() - answer.received_at
    except (KeyError, ValueError, OverflowError):
        return None


def _email(evidence: Evidence) -> str | None:
    jwt = evidence.sent.token.jwt if evidence.sent and evidence.sent.token else None
    return jwt.text("email") if jwt else None


def _subject(evidence: Evidence) -> str | None:
    jwt = evidence.sent.token.jwt if evidence.sent and evidence.sent.token else None
    return jwt.text("sub") if jwt else None


def _in_its_words(answer: ServerAnswer) -> str:
    return f", and says: {answer.said.rstrip('.')}" if answer.said else ""


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeioAEIO' else 'a'} {kind}"
