"""What a pattern asks for, in words: nobody reads a regular expression in a fault."""

from __future__ import annotations

from collections.abc import Mapping

_VISIBLE = "visible ASCII characters without a space"
_SCOPE = "one scope: visible ASCII characters without a space, a quote or a backslash"
_SMALL = "small letters, digits and hyphens"

IN_WORDS: Mapping[str, str] = {
    r"^[\x21-\x7e]+$": _VISIBLE,
    r"^[\x20-\x7e]+$": "visible ASCII characters and spaces",
    r"^[\x21\x23-\x5B\x5D-\x7E]+$": _SCOPE,
    r"^[\x21\x23-\x5b\x5d-\x7e]+$": _SCOPE,
    r"^[A-Za-z][A-Za-z0-9+.-]*:[\x21\x22\x24-\x7e]+$": "an absolute URI without a fragment, such as https://...",
    r"^(\*|[^@*\s]+)@[^@*\s]+$": "an e-mail address, or *@ and a domain",
    r"^[^@/\s]+@[^@/\s]+$": "the e-mail address of an account",
    r"^[a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9.-]*$": "NAMESPACE/NAME in small letters, digits, dots, hyphens",
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$": f"{_SMALL}, with no hyphen at an end",
    r"^[a-z0-9-]+$": _SMALL,
    r"^[a-z0-9][a-z0-9.-]*$": "small letters, digits, dots and hyphens",
    r"^[A-Za-z0-9-]+$": "letters, digits and hyphens",
    r"^[!-~]+$": "characters of ASCII without spaces",
    r"^[a-z][a-z0-9-]*$": f"{_SMALL}, with a letter first",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "letters, digits and underscores, with no digit first",
    r"^[A-Za-z0-9_.-]+$": "letters, digits, dots, hyphens and underscores",
    r"^[0-9a-f]{64}$": "64 hexadecimal digits, as `ostiary tools --json` gives them",
    r"^[A-Za-z0-9_.-]*$": "letters, digits, dots, hyphens and underscores",
    r"^arn:[a-z0-9-]+:iam::[0-9]{12}:role/[\x21-\x7e]+$": "a role: arn:aws:iam::123456789012:role/NAME",
    r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$": f"6 to 30 {_SMALL}, with a letter first and no hyphen last",
    r"^[a-z]([a-z0-9-]*[a-z0-9])?(@[a-z0-9.-]+)?$": f"{_SMALL}, a letter first; or an e-mail address",
    r"^[a-z]([a-z0-9-]{0,47}[a-z0-9])?$": f"at most 49 {_SMALL}, with a letter first and no hyphen last",
    r"^[a-z]+(/[a-zA-Z]+)+$": "a method of MCP, such as tools/call",
    r"^[a-z]+-[a-z]+[0-9]{1,2}$": "a region, such as europe-west1",
}
"""Of every pattern in the models of the files."""
