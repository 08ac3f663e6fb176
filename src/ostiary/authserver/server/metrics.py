"""What is counted: heard from the audit, so that the counts cannot disagree with it.

And how long claims are waited for, and how many grants there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.server.grants import GRANT_TYPES
from ostiary.authserver.upstream_grants.grant import GrantState
from ostiary.oauth.errors import OAuthError
from ostiary.telemetry.metrics import Count, Gauge, Histogram, known

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from ostiary.authserver.server.services import Services

PREFIX = "ostiary_authserver"


WAITS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class AuthServerMetrics:
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
            "Upstream tokens: renewed, failed, in doubt (the answer was lost), or accounts that died.",
            ["idp", "outcome"],
        )

        self._exchanges = Count(
            f"{PREFIX}_upstream_exchanges",
            "Upstream tokens that workloads asked for: given, or the error.",
            ["idp", "outcome"],
        )
        self._waits = Histogram(
            f"{PREFIX}_upstream_claim_wait_seconds",
            "How long one waited while another renewed the tokens of the same account.",
            ["idp"],
            bounds=WAITS,
        )
        self._grants_by_state = Gauge(
            f"{PREFIX}_upstream_grants",
            "Accounts that people connected, in the whole store, by their state: counted twice a minute.",
            ["idp", "state"],
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
    def all(self) -> list[Collector]:
        """All of them."""
        return [
            self._events,
            self._issued,
            self._refused,
            self._refreshes,
            self._sign_ins,
            self._renewals,
            self._exchanges,
            self._waits,
            self._grants_by_state,
        ]

    def listen(self, services: Services) -> None:
        """Hear of all that happens there."""
        services.audit.hear(self.heard)
        services.renewals.hear(self.waited)
        services.grant_states.hear(self.counted)

    def waited(self, idp: str, seconds: float) -> None:
        """Somebody waited for tokens that another renewed."""
        self._waits.observe(seconds, known(idp, self._idps))

    def counted(self, grants: Mapping[tuple[str, ...], int]) -> None:
        """(identity provider, state) → how many grants."""
        by_state: Counter[tuple[str, ...]] = Counter()
        for (idp, state), count in grants.items():
            by_state[known(idp, self._idps), state] += count
        self._grants_by_state.set(by_state)

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
            case AuditEvent.ACCOUNT_RENEWAL_FAILED:
                outcome = "in_doubt" if said.get("state") == GrantState.IN_DOUBT else "failed"
                self._renewals.add(self._idp(said), outcome)
            case _ if event in self._of_idps:
                count, word = self._of_idps[event]
                count.add(self._idp(said), word or self._error(said))

    def _grant(self, said: Mapping[str, Any]) -> str:
        return known(said.get("grant"), self._grants)

    def _error(self, said: Mapping[str, Any]) -> str:
        return known(said.get("error"), self._errors)

    def _idp(self, said: Mapping[str, Any]) -> str:
        return "none" if said.get("idp") is None else known(said["idp"], self._idps)


def _error_codes(kind: type[OAuthError]) -> set[str]:
    inherited = set[str]().union(*(_error_codes(one) for one in kind.__subclasses__()))
    return inherited | ({kind.error} if hasattr(kind, "error") else set())
