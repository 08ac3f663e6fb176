"""What a leg of a walk brought, put into its record. Pure."""

from __future__ import annotations

import msgspec

from ostiary.authserver.connected import Connected
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.idps.idp import IdpAnswerRefused
from ostiary.authserver.walk.known import Known
from ostiary.authserver.walk.record import WalkRecord


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
    if connected_before(record, account.idp, known) not in {None, account.account}:
        return msgspec.structs.replace(record, offered=account)
    return record.connecting(account)


def connected_before(record: WalkRecord, idp: str, known: Known) -> str | None:
    """The account that is connected: by this walk, or before it; None for none."""
    here = record.account(idp)
    if here is not None:
        return here.account
    before = known.accounts.get(idp)
    return None if before is None else before.account


def label_before(record: WalkRecord, idp: str, known: Known) -> str:
    """What people call that account."""
    here = record.account(idp)
    if here is not None:
        return here.label or here.account
    before = known.accounts.get(idp)
    return "" if before is None else before.label
