"""Let in, and it still does not work: the wrong path, no MCP server, another era, or a server further on."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.cli.diagnosis.diagnosis import Cause, Diagnosis

if TYPE_CHECKING:
    from ostiary.cli.diagnosis.evidence import Evidence

_NO_SUCH_PLACE = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE}
_GATEWAYS_CREDENTIAL = {-32013, -32014}
"""CredentialFailed and CredentialRefused of an Ostiary gateway."""
_UNKNOWN_METHOD, _UNSUPPORTED_VERSION = -32601, -32022


def mcp_is_at_another_path(evidence: Evidence) -> Diagnosis | None:
    """The usual one: the address without /mcp."""
    if evidence.mcp_is_at is None:
        return None
    return Diagnosis(
        Cause.WRONG_PATH,
        f"No MCP server is at {evidence.url}; there is one at {evidence.mcp_is_at}.",
        f"Use {evidence.mcp_is_at}.",
    )


def nothing_is_at_this_path(evidence: Evidence) -> Diagnosis | None:
    """404 and its like, without a word of JSON-RPC."""
    answer = evidence.call
    if answer is None or answer.status not in _NO_SUCH_PLACE or answer.message is not None:
        return None
    return Diagnosis(
        Cause.WRONG_PATH,
        f"No MCP server is at {evidence.url}: it answers {answer.status_line}.",
        "Ask who runs the server for its path; most have /mcp.",
    )


def gateway_cannot_get_further(evidence: Evidence) -> Diagnosis | None:
    """We are let in; the gateway's own credential for the server behind it is what fails."""
    answer = evidence.call
    if answer is None or answer.error_code not in _GATEWAYS_CREDENTIAL:
        return None
    return Diagnosis(
        Cause.GATEWAYS_OWN_CREDENTIAL,
        f"The gateway lets us in, and cannot get further: {answer.said.rstrip('.')}.",
        "Run `ostiary doctor --server NAME` where the gateway runs, with its ostiary.yaml.",
    )


def server_speaks_another_era(evidence: Evidence) -> Diagnosis | None:
    """Neither server/discover nor initialize."""
    answer = evidence.call
    if answer is None or answer.error_code not in {_UNKNOWN_METHOD, _UNSUPPORTED_VERSION}:
        return None
    return Diagnosis(
        Cause.OTHER_ERA,
        f"{evidence.url} speaks JSON-RPC, and no version of MCP that we know{_in_its_words(evidence)}.",
        "See which version of MCP the server speaks, and whether there is a newer one of either.",
    )


def it_is_no_mcp_server(evidence: Evidence) -> Diagnosis | None:
    """An answer, and not of MCP."""
    answer = evidence.call
    if answer is None or answer.works or answer.is_refusal:
        return None
    kind = answer.headers.get("content-type", "").partition(";")[0] or "no content"
    return Diagnosis(
        Cause.NOT_MCP,
        f"{evidence.url} is no MCP server: it answers {answer.status_line} with {kind}"
        f"{_in_its_words(evidence)}.",
        "See whether the URL is the server's; most have the path /mcp.",
    )


def _in_its_words(evidence: Evidence) -> str:
    said = evidence.call.said if evidence.call else ""
    return f" ({said.rstrip('.')})" if said else ""
