"""What a leg of a walk brought, put into its record. Pure."""

from __future__ import annotations

import msgspec

from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.idps.idp import IdpAnswerRefused
from ostiary.authserver.interaction.interaction_state import WalkRecord
from ostiary.authserver.interaction.known_accounts import Known, KnownAccount
from ostiary.authserver.upstream_account import Connected


def signed_in(record: WalkRecord, account: Connected, *, now: float) -> WalkRecord:
    """The identity's leg. A walk that has its person never gets another one.

    Raises PageRefused for another person, IdpAnswerRefused for nobody.
    """
    identity = account.identity
    if identity is None:
        raise IdpAnswerRefused(f"identity provider {account.idp} did not say who this is")
    before = record.identity
    if before is not None and (before.issuer, before.subject) != (identity.issuer, identity.subject):
        raise PageRefused(
            "You are signed in as somebody else",
            "Another account signed in for this in another window.",
            "Close this window, and go on in the other one.",
            status=409,
            detail="the identity's leg was walked twice, by two people",
        )
    moment = identity.auth_time if identity.auth_time is not None else int(now)
    return msgspec.structs.replace(record.connecting(account), signed_in_at=moment)


def connected(record: WalkRecord, account: Connected, known: Known) -> WalkRecord:
    """Another leg. An account in place of another one is offered, and nothing is replaced yet."""
    if record.identity is None:
        raise IdpAnswerRefused(f"an account at {account.idp} came before anybody had signed in")
    before = _before(record, account.idp, known)
    if before is not None and (before.issuer, before.account) != (account.issuer, account.account):
        return msgspec.structs.replace(record, offered=account)
    return record.connecting(account)


def label_before(record: WalkRecord, idp: str, known: Known) -> str:
    """What people call the account that is connected."""
    before = _before(record, idp, known)
    return "" if before is None else before.label or before.account


def _before(record: WalkRecord, idp: str, known: Known) -> Connected | KnownAccount | None:
    """The account that is connected: by this walk, or before it."""
    return record.account(idp) or known.accounts.get(idp)
