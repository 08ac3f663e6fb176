"""`ostiary explain`: what a token is, for whom, how long, and what is odd about it. Nobody is asked.

A configuration, where there is one, says what a token of its authorization server should have, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options
from ostiary.cli.failure import BadUsage

if TYPE_CHECKING:
    from ostiary.oauth.inspection.token_explanation import Explanation
    from ostiary.oauth.jwt_parts import JwtParts

STDIN = "-"
MOST_READ = 128 * 1024


def explain(
    token: Annotated[str, typer.Argument(metavar="TOKEN|-", help="The token, or - to read it from stdin.")],
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Decode a token, say what it is, for whom, how long, and what is odd about it."""
    import time  # noqa: PLC0415
    from dataclasses import replace  # noqa: PLC0415

    from ostiary.cli.console import print_json, print_text  # noqa: PLC0415
    from ostiary.oauth.inspection.token_explanation import explain as explained  # noqa: PLC0415

    now = time.time()
    explanation = explained(_bare(sys.stdin.read(MOST_READ) if token == STDIN else token), now=now)
    explanation = replace(explanation, oddities=(*explanation.oddities, *_lacking(explanation, config)))
    if as_json:
        print_json(as_data(explanation, now))
        return
    for line in in_lines(explanation, now):
        print_text(line)


def _lacking(explanation: Explanation, config: Path | None) -> Iterator[str]:
    """What a token of the configured authorization server should say, and does not."""
    from ostiary.authserver.absent_claims import absent_claims  # noqa: PLC0415
    from ostiary.config import OstiaryFile, read  # noqa: PLC0415

    file = config or Path(OstiaryFile.default_name)
    if explanation.jwt is None or (config is None and not file.exists()):
        return
    authserver = read(file, OstiaryFile).settings.authserver
    if authserver is not None:
        yield from absent_claims(authserver, explanation.jwt.claims)


def in_lines(explanation: Explanation, now: float) -> Iterator[str]:
    """What people read."""
    for name, value in facts(explanation, now).items():
        yield f"{name:<11} {value}"
    if explanation.jwt is None:
        yield "            Only its issuer can say more about it."
    if explanation.oddities:
        yield ""
    for oddity in explanation.oddities:
        yield f"! {oddity}"


def as_data(explanation: Explanation, now: float) -> dict[str, Any]:
    """What programs read. The signature is nowhere in it."""
    jwt = explanation.jwt
    expires = jwt.moment("exp") if jwt else None
    return {
        "kind": explanation.kind.value,
        "header": jwt.header if jwt else None,
        "claims": jwt.claims if jwt else None,
        "expires_in": None if expires is None else round(expires - now),
        "oddities": list(explanation.oddities),
    }


def facts(explanation: Explanation, now: float) -> dict[str, str]:
    """The lines that every token has if it says so."""
    jwt = explanation.jwt
    if jwt is None:
        return {"what": explanation.kind.value}
    told = {
        "what": explanation.kind.value,
        "from": jwt.issuer,
        "for": ", ".join(jwt.audiences),
        "who": _who(jwt),
        "scopes": _scopes(jwt),
        "issued": _moment(jwt, "iat", now),
        "valid from": _moment(jwt, "nbf", now),
        "expires": _moment(jwt, "exp", now),
        "signed": _signed(jwt),
    }
    return {name: value for name, value in told.items() if value}


def _bare(text: str) -> str:
    words = text.split()
    if len(words) == 2 and words[0].lower() in {"bearer", "dpop", "authorization:"}:
        words = words[1:]
    if len(words) == 3 and words[0].lower() == "authorization:":
        words = words[2:]
    if len(words) != 1:
        raise BadUsage("give one token: as an argument, or with - on standard input")
    return words[0]


def _who(jwt: JwtParts) -> str | None:
    subject, email = jwt.text("sub"), jwt.text("email")
    if email is None:
        return subject
    unproven = "" if jwt.claims.get("email_verified") is True else ", address not verified"
    return f"{email} (subject {subject}{unproven})"


def _scopes(jwt: JwtParts) -> str:
    from ostiary.oauth.jwt_claims import scopes_of  # noqa: PLC0415

    return " ".join(sorted(scopes_of(jwt.claims)))


def _moment(jwt: JwtParts, claim: str, now: float) -> str | None:
    from datetime import UTC, datetime  # noqa: PLC0415

    from ostiary.oauth.inspection.humanize import relative  # noqa: PLC0415

    moment = jwt.moment(claim)
    if moment is None:
        return None
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S UTC} ({relative(moment, now)})"


def _signed(jwt: JwtParts) -> str:
    key = jwt.header.get("kid")
    return f"{jwt.header.get('alg', 'none')}" + (f", key {key}" if key else "") + "; not verified here"
