"""The tables as they are now. How a store gets there is in `migrations/`.

    metadata           what all tables belong to
    shared_tokens      tokens that one replica fetched for all
    people             who signed in, and what they gave us at their identity providers
    sessions           what a client may do for a person, and how it stays able to
    requests           what is under way: asked, signed in, not yet redeemed; and what may be used once
    clients            who asks
    signing_keys       what our tokens are signed with
    encryption_keys    under which keys something may be sealed
    upstream_clients   who we are at authorization servers that registered us

Times are seconds since the epoch. A column named `*_hash` holds SHA-256 in hexadecimal, and nothing leads
back from it; one named `sealed` opens only with the key ring, and only as long as nobody has changed the
columns that it covers.
"""

from ostiary.storage.schema.clients import clients
from ostiary.storage.schema.encryption_keys import encryption_keys
from ostiary.storage.schema.metadata import metadata
from ostiary.storage.schema.people import (
    away_permissions,
    idp_choices,
    idp_issuers,
    upstream_grants,
    users,
)
from ostiary.storage.schema.requests import (
    browser_sessions,
    codes,
    device_codes,
    pushed_requests,
    revoked_tokens,
    upstream_states,
    used_once,
    walks,
)
from ostiary.storage.schema.sessions import refresh_tokens, session_grants, token_sessions
from ostiary.storage.schema.shared_tokens import shared_tokens
from ostiary.storage.schema.signing_keys import signing_keys
from ostiary.storage.schema.upstream_clients import upstream_clients

__all__ = [
    "away_permissions",
    "browser_sessions",
    "clients",
    "codes",
    "device_codes",
    "encryption_keys",
    "idp_choices",
    "idp_issuers",
    "metadata",
    "pushed_requests",
    "refresh_tokens",
    "revoked_tokens",
    "session_grants",
    "shared_tokens",
    "signing_keys",
    "token_sessions",
    "upstream_clients",
    "upstream_grants",
    "upstream_states",
    "used_once",
    "users",
    "walks",
]
