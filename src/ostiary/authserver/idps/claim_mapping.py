"""The claims that an entry takes when somebody signs in, by the names that policies know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ostiary.authserver.config.idps import ClaimSource
from ostiary.event_log import event_log
from ostiary.oauth.dotted_path import ABSENT, value_at

log = event_log("ostiary.authserver")


def sources(claims: Mapping[str, ClaimSource], *, default: str) -> set[str]:
    """Where they stand."""
    return {claim.source or default for claim in claims.values()}


def map_claims(
    wanted: Mapping[str, ClaimSource], documents: Mapping[str, Mapping[str, Any]], *, default: str, idp: str
) -> dict[str, Any]:
    """What is there of them. documents: what each source said; what is absent or null is told in the log."""
    found = {
        name: value_at(documents.get(claim.source or default, {}), claim.claim)
        for name, claim in wanted.items()
    }
    if missing := [name for name, value in found.items() if value is ABSENT or value is None]:
        log.warning("claims_absent", idp=idp, claims=missing)
    return {name: value for name, value in found.items() if name not in missing}


def as_paths(paths: str | Iterable[str]) -> tuple[str, ...]:
    """One path, or several of which the first hit wins."""
    return (paths,) if isinstance(paths, str) else tuple(paths)
