"""WWW-Authenticate: how to come back with the right token. RFC 6750 section 3, RFC 9728 section 5.1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_NOT_IN_A_DESCRIPTION = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_BARE = r"[^\s\",]+"  # more than a token is: servers leave out the quotes around URLs
_PARAMETER = re.compile(rf"({_WORD})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|({_BARE}))")
_SCHEME = re.compile(rf"({_WORD})(?:[ \t]+|$|(?=,))")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)")
_BETWEEN = re.compile(r"[ \t,]*")
LONGEST = 8192


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of a server: its scheme in lower case, and its parameters, names in lower case."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def error(self) -> str | None:
        """Why the token was refused (RFC 6750 section 3.1); None when none was sent."""
        return self.parameters.get("error")

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the token should have."""
        return tuple(self.parameters.get("scope", "").split())


def read_challenges(value: str) -> list[Challenge]:
    """All challenges of a WWW-Authenticate header, several joined by commas; up to what can't be read.

    RFC 9110 section 11.6.1: commas part both challenges and parameters, so a word is a scheme unless a
    parameter stands there.
    """
    value = value[:LONGEST]
    found: list[tuple[str, dict[str, str]]] = []
    at = _BETWEEN.match(value).end()  # type: ignore[union-attr]  # it matches nothing, too
    while at < len(value):
        if found and (parameter := _PARAMETER.match(value, at)):
            name, quoted, plain = parameter.groups()
            found[-1][1].setdefault(
                name.lower(), plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            )
            step = parameter
        elif scheme := _SCHEME.match(value, at):
            found.append((scheme[1].lower(), {}))
            step = _TOKEN68.match(value, scheme.end()) or scheme
        else:
            break
        at = _BETWEEN.match(value, step.end()).end()  # type: ignore[union-attr]
    return [Challenge(scheme, parameters) for scheme, parameters in found]


def bearer_challenge(
    *,
    resource_metadata: str | None = None,
    scopes: tuple[str, ...] = (),
    error: str | None = None,
    description: str | None = None,
) -> str:
    """The header's value.

    A request without a token is told no error code (RFC 6750 section 3.1): leave `error` out.
    scopes: what the token should have. Whatever could end the quoted string or the line is taken out.
    """
    parameters = {
        "error": error,
        "error_description": description if error else None,
        "scope": " ".join(scopes),
        "resource_metadata": resource_metadata,
    }
    said = (f'{name}="{_plain(value)}"' for name, value in parameters.items() if value)
    return f"Bearer {', '.join(said)}".rstrip()


def dpop_challenge(*, algorithms: Sequence[str], error: str, description: str) -> str:
    """The header's value for a token that is bound to a key, or should be (RFC 9449 section 7.1)."""
    said = {"error": error, "error_description": description, "algs": " ".join(algorithms)}
    return "DPoP " + ", ".join(f'{name}="{_plain(value)}"' for name, value in said.items())


def _plain(value: str) -> str:
    """RFC 6750 section 3 allows neither a quote nor a backslash here, so nothing needs escaping."""
    return _NOT_IN_A_DESCRIPTION.sub(" ", value)
