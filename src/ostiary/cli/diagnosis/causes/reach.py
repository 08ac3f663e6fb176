"""No answer at all: the name, the connection, TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.cli.diagnosis.diagnosis import Cause, Diagnosis
from ostiary.cli.diagnosis.evidence import Unreachable

if TYPE_CHECKING:
    from ostiary.cli.diagnosis.evidence import Evidence


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


def certificate_is_not_trusted(evidence: Evidence) -> Diagnosis | None:
    """The other end proves to be somebody whom nobody here vouches for."""
    if (detail := _end(evidence, Unreachable.CERTIFICATE)) is None:
        return None
    return Diagnosis(
        Cause.CERTIFICATE_NOT_TRUSTED,
        f"The certificate of {evidence.url.origin} is not trusted here: {detail}.",
        "For a private authority, point SSL_CERT_FILE to its certificate (in an ostiary.yaml, ca_file); "
        "for any other reason the certificate has to be replaced.",
    )


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
    return Diagnosis(
        Cause.NO_ANSWER,
        f"{evidence.url.origin} takes the connection and gives no proper answer: {detail}.",
        "See whether this port speaks http (or rather https), and what the server's log says.",
    )


def _end(evidence: Evidence, end: Unreachable) -> str | None:
    return evidence.dead.detail.rstrip(".") if evidence.dead and evidence.dead.end is end else None
