"""What a client's signed statement about itself must say. RFC 7521 section 4.2, RFC 7523 section 3.

draft-ietf-oauth-rfc7523bis: a statement that names somebody else as well could be sent on by him, so each
audience must be one of ours. The endpoint's own URL is still taken, as most clients name it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.jwt_claims import LEEWAY, check_claims
from ostiary.oauth.server.errors import InvalidClient

TYPES = frozenset({None, "jwt", "client-authentication+jwt"})
"""The header's `typ`, in lower case: every other one is of a JWT that was made for something else."""
MAX_NAME = 256
"""The longest `jti`; it is stored."""


def check_client_assertion(
    claims: Mapping[str, Any],
    *,
    client_id: str,
    audiences: Collection[str],
    now: float,
    max_life: float = 300,
    typ: object = None,
) -> str:
    """The `jti` of a statement whose signature is good, which the store lets in once until `exp` + LEEWAY.

    audiences: our issuer and the URLs of the endpoint; max_life: seconds that a statement may be good for
    from now, so that the store forgets it soon. Raises InvalidClient.
    """
    if not (typ is None or isinstance(typ, str)) or _media_type(typ) not in TYPES:
        raise InvalidClient("the client assertion is another kind of JWT", detail=f"typ {typ!r:.80}")
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise InvalidClient("the client assertion's iss and sub are not both the client_id")
    _check(claims, client_id, audiences, now)
    if claims["exp"] > now + max_life + LEEWAY:
        raise InvalidClient(f"the client assertion is good for longer than {max_life:.0f} seconds")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti or len(jti) > MAX_NAME or not jti.isprintable():
        raise InvalidClient(f"the client assertion lacks a jti of 1 to {MAX_NAME} printable characters")
    return jti


def _check(claims: Mapping[str, Any], client_id: str, audiences: Collection[str], now: float) -> None:
    try:
        check_claims(claims, issuers={client_id}, audiences=audiences, now=now)
    except InvalidToken as refused:
        sentence = refused.description.replace("the token", "the client assertion")
        raise InvalidClient(sentence, detail=refused.detail) from None
    named = claims["aud"]
    if isinstance(named, list) and not all(one in audiences for one in named):
        raise InvalidClient("the client assertion is for somebody else as well")


def _media_type(typ: str | None) -> str | None:
    return None if typ is None else typ.lower().removeprefix("application/")
