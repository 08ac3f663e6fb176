"""No answer at all: the name, the connection, TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.diagnosis.diagnosis import Cause, Diagnosis
from ostiary.diagnosis.evidence import Unreachable
from ostiary.transport.trust import Distrust

if TYPE_CHECKING:
    from ostiary.diagnosis.evidence import Evidence


def name_is_unknown(evidence: Evidence) -> Diagnosis | None:
    """DNS has no address for the host."""
    if (detail := _end(evidence, Unreachable.NAME)) is None:
        return None
    return Diagnosis(
        Cause.UNKNOWN_HOST,
        f"The name {evidence.url.host} leads nowhere: {detail}.",
        "See whether the URL is spelt right, and whether this network resolves the name.",
    )


def nothing_listens(evidence: Evidence) -> Diagnosis | None:
    """The host is there, and the port is shut."""
    if (detail := _end(evidence, Unreachable.CONNECTION)) is None:
        return None
    return Diagnosis(
        Cause.NOTHING_LISTENS,
        f"Nothing takes connections at {evidence.url.host} port {evidence.url.port}: {detail}.",
        "See whether the server runs, whether the port is right, and what stands in between.",
    )


def proxy_refuses(evidence: Evidence) -> Diagnosis | None:
    """We never came as far as the server."""
    if (detail := _end(evidence, Unreachable.PROXY)) is None:
        return None
    return Diagnosis(
        Cause.PROXY_REFUSES,
        f"The way to {evidence.url.origin} ends at a proxy: {detail}.",
        _NAME_YOURSELF if "(407" in detail else f"Ask who runs the proxy to let it through, or {_PAST_IT}.",
    )


_PAST_IT = "name the host in NO_PROXY (or say proxy: none)"
_NAME_YOURSELF = (
    "Name user and password in the proxy's URL: http://USER:PASSWORD@HOST:PORT, with special characters of "
    "theirs percent-encoded."
)


def certificate_is_not_trusted(evidence: Evidence) -> Diagnosis | None:
    """The other end proves to be somebody whom nobody here vouches for, or for another time or name."""
    if (detail := _end(evidence, Unreachable.CERTIFICATE)) is None:
        return None
    found = (evidence.dead.distrust if evidence.dead else None) or Distrust.OTHER
    return Diagnosis(
        _CERTIFICATES.get(found, Cause.CERTIFICATE_NOT_TRUSTED),
        f"The certificate of {evidence.url.origin} {found.removeprefix('its certificate ')}"
        f"{f': {detail}' if found in _NEED_DETAIL else ''}.",
        f"{found.fix[:1].upper()}{found.fix[1:]}.",
    )


_NEED_DETAIL = {Distrust.OTHER, Distrust.OTHER_NAME}
_CERTIFICATES = {
    Distrust.EXPIRED: Cause.CERTIFICATE_EXPIRED,
    Distrust.NOT_YET_VALID: Cause.CERTIFICATE_NOT_YET_VALID,
    Distrust.OTHER_NAME: Cause.CERTIFICATE_OF_ANOTHER_NAME,
}


def tls_fails(evidence: Evidence) -> Diagnosis | None:
    """Something is there, and it is not TLS that both speak."""
    if (detail := _end(evidence, Unreachable.TLS)) is None:
        return None
    return Diagnosis(
        Cause.TLS_FAILS,
        f"No TLS can be agreed on with {evidence.url.origin}: {detail}.",
        "See whether this port speaks https at all; a plain http server is called with an http:// URL.",
    )


def nobody_answers(evidence: Evidence) -> Diagnosis | None:
    """Connected, and then nothing, or nothing that is HTTP."""
    if (detail := _end(evidence, Unreachable.SILENCE)) is None:
        return None
    if evidence.proxy is not None:
        return Diagnosis(
            Cause.NO_ANSWER,
            f"There is no proper answer of {evidence.url.origin}: {detail}.",
            f"See whether the proxy lets such calls through; if there is a way without it, {_PAST_IT}.",
        )
    return Diagnosis(
        Cause.NO_ANSWER,
        f"{evidence.url.origin} takes the connection and gives no proper answer: {detail}.",
        "See whether this port speaks http (or rather https), and what the server's log says.",
    )


def _end(evidence: Evidence, end: Unreachable) -> str | None:
    return evidence.dead.detail.rstrip(".") if evidence.dead and evidence.dead.end is end else None
