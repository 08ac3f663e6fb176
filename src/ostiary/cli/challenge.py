"""What a refusal means, as a sentence: from its WWW-Authenticate header (RFC 6750 3, RFC 9728 5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from ostiary.oauth.challenge import read_challenges
from ostiary.oauth.client.echoed_secrets import without_echoes


def refusal(
    url: str, status: int, phrase: str, header: str, *, sent: str | None, secrets: Sequence[str] = ()
) -> str:
    """The sentence for a refused call.

    header: the WWW-Authenticate value, "" when there was none.
    sent: the type of the credential that was sent, None for no token; secrets: what it sent, shown nowhere.
    """
    asked = {
        name: without_echoes(value, secrets)
        for challenge in reversed(read_challenges(header))
        for name, value in challenge.parameters.items()
    }
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
        sentence += (
            f" `ostiary doctor {url}` finds out which credential it wants; "
            "name it with --credential TYPE, or --server NAME from an ostiary.yaml."
        )
    return sentence
