"""What an access token of ours should say of its person, and does not: policies that wait for it deny."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ostiary.authserver.config.idps import IdpSettings, McpIdp
from ostiary.authserver.config.resources import ResourceSettings
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.authserver.resources import Resources

PROFILE = frozenset({"name", "email", "email_verified"})
"""What is taken from every provider that says it, without being configured."""


def absent_claims(settings: AuthServerSettings, claims: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each claim of the resource's `token_claims` that the token lacks.

    claims: the token's. Nothing is said of a token of another issuer, or for a resource of nobody here.
    """
    audience = claims.get("aud")
    if claims.get("iss") != settings.issuer or not isinstance(audience, str):
        return
    target = Resources(settings.resources).find(audience)
    if target is None:
        return
    idps = {idp.name: idp for idp in settings.upstream_idps}
    for name in target.settings.token_claims:
        if name not in claims:
            why = _why(name, target.settings, idps)
            yield f"It lacks the claim {name}, which {target.settings.resource} asks for: {why}."


def _why(name: str, resource: ResourceSettings, idps: Mapping[str, IdpSettings]) -> str:
    idp = idps.get(resource.identity)
    if idp is None or isinstance(idp, McpIdp):
        return "nobody signs in for it"
    taken = idp.claims.get(name)
    if taken is None and name not in PROFILE:
        return f"nothing takes it at sign-in; say where it comes from under claims of {idp.name}"
    if taken is None or taken.source is None:
        place = "ID token or userinfo" if taken is None else f"ID token or userinfo (claim {taken.claim})"
    else:
        place = f"{taken.source.replace('_', ' ')} (claim {taken.claim})"
    return f"{idp.name} did not have it in the {place} when the person signed in, or it was too large"
