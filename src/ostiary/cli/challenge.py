"""What a WWW-Authenticate header asks for (RFC 6750 section 3, RFC 9728 section 5.1)."""

from __future__ import annotations

import re

_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


def challenge_parameters(header: str) -> dict[str, str]:
    """The parameters of the first challenge; what is malformed is left out."""
    found: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(header[:4096]):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain)
    return found


def refusal(url: str, status: int, phrase: str, header: str, *, sent: str | None) -> str:
    """The sentence for a refused call.

    header: the WWW-Authenticate value, "" when there was none.
    sent: the type of the credential that was sent, None for no token.
    """
    asked = challenge_parameters(header)
    said = asked.get("error_description") or asked.get("error")
    parts = [f"{url} refused the call: {status} {phrase}"]
    if sent is None:
        parts.append("no token was sent")
    else:
        parts.append(
            f"the token of credential {sent} was sent" + (f", and the server says: {said}" if said else "")
        )
    sentence = "; ".join(parts) + "."
    if scope := asked.get("scope"):
        sentence += f" It wants the scope {scope}."
    if metadata := asked.get("resource_metadata"):
        sentence += f" Which tokens it takes, it says at {metadata}."
    if sent is None:
        sentence += " Name a credential with --credential TYPE, or --server NAME from an ostiary.yaml."
    return sentence
