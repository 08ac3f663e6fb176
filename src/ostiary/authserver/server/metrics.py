"""What is counted: heard from the audit, so that the counts cannot disagree with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.server.grants import GRANT_TYPES
from ostiary.oauth.errors import OAuthError
from ostiary.telemetry.metrics import Count, known

PREFIX = "ostiary_authserver"


class AuditCounts:
    """Counts of one authorization server. idps: the names in its configuration."""

    def __init__(self, idps: Iterable[str]) -> None:
        self._idps = frozenset(idps)
        self._grants = frozenset(GRANT_TYPES)
        self._errors = frozenset(_error_codes(OAuthError))
        self._events = Count(f"{PREFIX}_audit_events", "Audit events, by their word.", ["event"])
        self._issued = Count(f"{PREFIX}_tokens_issued", "Token requests that were granted.", ["grant"])
        self._refused = Count(
            f"{PREFIX}_tokens_refused", "Token requests that were refused.", ["grant", "error"]
        )
        self._refreshes = Count(
            f"{PREFIX}_refreshes", "Refresh tokens: rotated, given again in the grace, reused.", ["outcome"]
        )
        self._sign_ins = Count(
            f"{PREFIX}_sign_ins", "People at identity providers: signed in, or refused.", ["idp", "outcome"]
        )
        self._renewals = Count(
            f"{PREFIX}_upstream_renewals",
            "Upstream tokens: renewed, or accounts that died.",
            ["idp", "outcome"],
        )

        self._exchanges = Count(
            f"{PREFIX}_upstream_exchanges",
            "Upstream tokens that workloads asked for: given, or the error.",
            ["idp", "outcome"],
        )

        self._of_idps: dict[StrEnum, tuple[Count, str | None]] = {
            AuditEvent.SIGNED_IN: (self._sign_ins, "signed_in"),
            AuditEvent.SIGN_IN_REFUSED: (self._sign_ins, "refused"),
            AuditEvent.ACCOUNT_RENEWED: (self._renewals, "renewed"),
            AuditEvent.ACCOUNT_NEEDS_RECONNECT: (self._renewals, "needs_reconnect"),
            AuditEvent.UPSTREAM_TOKEN_GIVEN: (self._exchanges, "given"),
            AuditEvent.UPSTREAM_TOKEN_REFUSED: (self._exchanges, None),
        }

    @property
    def counts(self) -> list[Count]:
        """All of them."""
        return [
            self._events,
            self._issued,
            self._refused,
            self._refreshes,
            self._sign_ins,
            self._renewals,
            self._exchanges,
        ]

    def heard(self, event: StrEnum, said: Mapping[str, Any]) -> None:
        """Count one event."""
        self._events.add(event.value)
        match event:
            case AuditEvent.TOKEN_ISSUED:
                self._issued.add(self._grant(said))
            case AuditEvent.TOKEN_REFUSED:
                self._refused.add(self._grant(said), self._error(said))
            case AuditEvent.TOKEN_REFRESHED:
                self._refreshes.add("grace" if said.get("grace") else "rotated")
            case AuditEvent.REFRESH_REUSED:
                self._refreshes.add("reused")
            case _ if event in self._of_idps:
                count, outcome = self._of_idps[event]
                count.add(self._idp(said), outcome or self._error(said))

    def _grant(self, said: Mapping[str, Any]) -> str:
        return known(said.get("grant"), self._grants)

    def _error(self, said: Mapping[str, Any]) -> str:
        return known(said.get("error"), self._errors)

    def _idp(self, said: Mapping[str, Any]) -> str:
        return "none" if said.get("idp") is None else known(said["idp"], self._idps)


def _error_codes(kind: type[OAuthError]) -> set[str]:
    inherited = set[str]().union(*(_error_codes(one) for one in kind.__subclasses__()))
    return inherited | ({kind.error} if hasattr(kind, "error") else set())
