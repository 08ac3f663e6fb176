"""What the authorization server's audit tells. The words do not change between releases.

Every event has `time` and, where they are known, `client`, `subject` (ours), `resource`, `owner`, `session`
(the hash of its `tsid`), `address`, `act`, the chain of those who act for the subject, and `walk`, the same
in all events of one sign-in.

What strangers can cause at will is written 20 times a minute for one address (IPv6: /64), and 200 times for
all. The rest is counted: one line of the same event says how many `more` there were in so many `seconds`, and
from which `address`, or from many when it names none. `/metrics` counts each.
"""

from __future__ import annotations

from enum import StrEnum


class AuditEvent(StrEnum):
    """One word an event."""

    TOKEN_ISSUED = "token_issued"  # noqa: S105 - words, all of these
    """A grant gave tokens: `grant`, `scopes`, `jti`."""
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    """A token request was refused: `grant`, `error`, `reason`."""
    TOKEN_UNANSWERED = "token_unanswered"  # noqa: S105
    """A client went away before the answer to its token request: `grant`. What had begun went on."""
    CLIENT_REFUSED = "client_refused"
    """A client did not prove who it is: `method`, `reason`."""
    TOKEN_REFRESHED = "token_refreshed"  # noqa: S105
    """A refresh token was rotated; `grace` when a lost answer was given again."""
    REFRESH_REUSED = "refresh_reused"
    """A refresh token came a second time, so its session was ended."""
    CODE_REUSED = "code_reused"
    """A code came a second time, so the session that it gave was ended."""
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    """A client gave a token back."""
    SESSION_STARTED = "session_started"
    """A person signed in for a client."""
    SESSION_ENDED = "session_ended"
    """A session ended: `reason`."""
    SIGN_IN_REFUSED = "sign_in_refused"
    """An authorization request, or a login on its way, ended without a code: `error`, `idp`, `reason`."""
    SIGNED_IN = "signed_in"
    """A person proved who they are at an identity provider: `idp`."""
    CONSENTED = "consented"
    """A person agreed to what a client asked for: `scopes`."""
    CONSENT_DENIED = "consent_denied"
    """A person did not."""
    ACCOUNT_CONNECTED = "account_connected"
    """An account at an identity provider was connected: `idp`, `account`."""
    ACCOUNT_REFUSED = "account_refused"
    """An account that a person wanted to connect was not: `idp`, `reason`."""
    ACCOUNT_REPLACED = "account_replaced"
    """Another account took its place: `idp`, `account`, `before`."""
    ACCOUNT_DISCONNECTED = "account_disconnected"
    """An account was disconnected, by its person or because nothing uses it any more: `idp`, `account`."""
    ACCOUNT_NEEDS_RECONNECT = "account_needs_reconnect"
    """A provider takes its tokens no more: `idp`, `account`, `reason`."""
    ACCOUNT_SKIPPED = "account_skipped"
    """A person skipped an optional account: `idp`."""
    ACCOUNT_RENEWED = "account_renewed"
    """An upstream token was renewed: `idp`, `account`."""
    ACCOUNT_RENEWAL_FAILED = "account_renewal_failed"
    """It was not: `idp`, `account`, `reason`, and the `state` it is in: `in_doubt` if an answer was lost."""
    AWAY_ALLOWED = "away_allowed"
    """A person lets a client use an account while they are away: `idp`, `account`, `until`."""
    AWAY_REVOKED = "away_revoked"
    """They no longer do."""
    UPSTREAM_TOKEN_GIVEN = "upstream_token_given"  # noqa: S105
    """A workload got a token of somebody's account: `workload`, `server`, `idp`."""
    UPSTREAM_TOKEN_REFUSED = "upstream_token_refused"  # noqa: S105
    """A workload asked for one, and did not get it: the same, as far as it is known, `error`, `reason`."""
    WORKLOAD_REFUSED = "workload_refused"
    """A certificate named no workload that is let in: `reason`, `detail`."""
    PERSON_GONE = "person_gone"
    """The identity provider says that a person does not exist any more: `idp`."""
    CLIENT_REGISTERED = "client_registered"
    """A client registered itself, or was registered by command: `kind`, `name`."""
    CLIENT_REMOVED = "client_removed"
    """A client was removed, or its registration ended."""
    REGISTRATION_REFUSED = "registration_refused"
    """A registration was refused: `error`, `reason`."""
    DEVICE_APPROVED = "device_approved"
    """A person let a device in."""
    DEVICE_DENIED = "device_denied"
    """A person did not."""
    KEY_MADE = "key_made"
    """The next signing key was made: `kid`."""
    KEY_RETIRED = "key_retired"
    """A signing key was withdrawn by hand: `kid`."""
    STORE_RESEALED = "store_resealed"
    """What is stored was sealed anew by hand: `key`, the one that seals, `rows`, and `retired`, the keys that
    nothing needs any more."""
    RATE_LIMITED = "rate_limited"
    """Somebody asked more often than is allowed: `endpoint`."""


REFUSALS = frozenset(
    {
        AuditEvent.TOKEN_REFUSED,
        AuditEvent.TOKEN_UNANSWERED,
        AuditEvent.CLIENT_REFUSED,
        AuditEvent.SIGN_IN_REFUSED,
        AuditEvent.REGISTRATION_REFUSED,
        AuditEvent.RATE_LIMITED,
        AuditEvent.ACCOUNT_RENEWAL_FAILED,
        AuditEvent.UPSTREAM_TOKEN_REFUSED,
        AuditEvent.WORKLOAD_REFUSED,
    }
)
"""What strangers can cause at will."""
