"""What a token is, for whom, how long, and what is odd about it; read without its issuer's keys.

Every oddity is a rule of its own: a JWT and the time in; a sentence, or nothing, out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ostiary.oauth.canonical_url import UrlRefused, canonical_url
from ostiary.oauth.inspection.humanize import relative, span_in_words
from ostiary.oauth.inspection.token_kind import TokenKind, kind_of_jwt, kind_of_text
from ostiary.oauth.jwt_parts import JwtParts, NotAJwt, jwt_parts

LONGEST_LIFE = 24 * 3600.0
"""Seconds. A JWT can't be called back, so one that lives longer is a password."""
LEEWAY = 30.0
"""Seconds of clock difference that are nothing to speak of."""
SIGNATURE_REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
USERS_AUDIENCE = ".apps.googleusercontent.com"
"""How the OAuth client ends that a person's Google ID token is for."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A JWT that is looked at, and when."""

    jwt: JwtParts
    kind: TokenKind
    now: float
    """Seconds since the epoch."""


Oddity = Callable[[Reading], str | None]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What can be said of a token without asking anybody."""

    kind: TokenKind
    jwt: JwtParts | None
    """Its header and claims; None for a token that only its issuer can read."""
    oddities: tuple[str, ...]
    """What is unusual or wrong about it, a sentence each."""


def explain(token: str, *, now: float) -> Explanation:
    """Explain a token. now: seconds since the epoch."""
    kind = kind_of_text(token)
    if kind is not TokenKind.OPAQUE:
        return Explanation(kind, None, ())
    try:
        jwt = jwt_parts(token)
    except NotAJwt as refused:
        broken = (f"It begins like a JWT, but {refused}.",) if token.startswith("eyJ") else ()
        return Explanation(kind, None, broken)
    kind = kind_of_jwt(jwt)
    found = (rule(Reading(jwt, kind, now)) for rule in ODDITIES)
    removed = "Its signature was removed by Cloud Run: no other service will take it."
    by_google = (removed,) if token.endswith(f".{SIGNATURE_REMOVED}") else ()
    return Explanation(kind, jwt, (*by_google, *(oddity for oddity in found if oddity)))


def is_unsigned(token: Reading) -> str | None:
    """RFC 8725 section 3.2."""
    if str(token.jwt.header.get("alg", "none")).lower() == "none":
        return "It is not signed (alg none): anybody could have written it, and no server should take it."
    return None


def is_signed_with_a_shared_secret(token: Reading) -> str | None:
    """RFC 8725 section 2.1: whoever verifies such a token could have made it."""
    alg = str(token.jwt.header.get("alg", ""))
    if alg.startswith("HS"):
        return f"It is signed with a shared secret ({alg}): whoever can verify it could have made it."
    return None


def names_no_key(token: Reading) -> str | None:
    """RFC 7515 section 4.1.4."""
    if "kid" in token.jwt.header or "jwk" in token.jwt.header or is_unsigned(token):
        return None
    return "It does not say which key signed it (kid): a verifier has to try them all."


def has_no_expiry(token: Reading) -> str | None:
    """RFC 7519 section 4.1.4."""
    if token.jwt.moment("exp") is None and token.kind is not TokenKind.DPOP_PROOF:
        return "It has no expiry (exp): it would be good for ever."
    return None


def has_expired(token: Reading) -> str | None:
    """RFC 7519 section 4.1.4."""
    expires = token.jwt.moment("exp")
    if expires is not None and expires <= token.now:
        return f"It expired {relative(expires, token.now)}."
    return None


def is_not_valid_yet(token: Reading) -> str | None:
    """RFC 7519 section 4.1.5."""
    begins = token.jwt.moment("nbf")
    if begins is not None and begins > token.now + LEEWAY:
        return f"It is not valid yet: its time begins {relative(begins, token.now)} (nbf)."
    return None


def is_from_the_future(token: Reading) -> str | None:
    """RFC 7519 section 4.1.6."""
    issued = token.jwt.moment("iat")
    if issued is not None and issued > token.now + LEEWAY:
        return (
            f"It is from the future: issued {relative(issued, token.now)} (iat). One of the clocks is wrong."
        )
    return None


def lives_too_long(token: Reading) -> str | None:
    """A JWT can't be called back."""
    issued, expires = token.jwt.moment("iat"), token.jwt.moment("exp")
    if issued is None or expires is None or expires - issued <= LONGEST_LIFE:
        return None
    return f"It lives {span_in_words(expires - issued)}: whoever finds it has long use of it."


def has_no_audience(token: Reading) -> str | None:
    """RFC 9700 section 2.3: a token is for somebody."""
    if token.jwt.audiences or token.kind is TokenKind.DPOP_PROOF:
        return None
    return "It names no audience (aud): any server that trusts its issuer could take it, and pass it on."


def has_an_audience_with_a_path(token: Reading) -> str | None:
    """Cloud Run's own audiences are addresses without a path."""
    for audience in token.jwt.audiences:
        if (origin := origin_on_cloud_run(audience)) and origin != audience:
            return f"Its audience {audience} has a path: Cloud Run wants {origin}."
    return None


def is_for_a_persons_client(token: Reading) -> str | None:
    """A person's Google login cannot choose an audience."""
    if token.kind is TokenKind.GOOGLE_ID_TOKEN and is_a_persons(token.jwt):
        return (
            "It is a person's: its audience is no server, but the OAuth client they signed in with, "
            f"{token.jwt.audiences[0]}."
        )
    return None


def names_no_issuer(token: Reading) -> str | None:
    """RFC 7519 section 4.1.1."""
    if token.jwt.issuer is None and token.kind is not TokenKind.DPOP_PROOF:
        return "It does not say who issued it (iss)."
    return None


ODDITIES: tuple[Oddity, ...] = (
    is_unsigned,
    is_signed_with_a_shared_secret,
    names_no_key,
    names_no_issuer,
    has_no_audience,
    has_an_audience_with_a_path,
    is_for_a_persons_client,
    has_no_expiry,
    has_expired,
    is_not_valid_yet,
    is_from_the_future,
    lives_too_long,
)


def is_a_persons(jwt: JwtParts) -> bool:
    """Whether a Google ID token is one that a person's login gave, whose audience nobody can choose."""
    return any(audience.endswith(USERS_AUDIENCE) for audience in jwt.audiences)


def origin_on_cloud_run(text: str) -> str | None:
    """The address without a path when the text is a URL of a Cloud Run service."""
    try:
        url = canonical_url(text)
    except UrlRefused:
        return None
    return url.origin if url.host.endswith(".run.app") else None
