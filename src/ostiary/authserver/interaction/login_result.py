"""What a login brought, put into the state of its interaction. Pure."""

from __future__ import annotations

import msgspec

from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.idps.idp import IdpAnswerRefused
from ostiary.authserver.interaction.interaction_state import InteractionState
from ostiary.authserver.interaction.known_accounts import KnownAccount, KnownAccounts
from ostiary.authserver.upstream_account import UpstreamAccount


def with_identity(state: InteractionState, account: UpstreamAccount, *, now: float) -> InteractionState:
    """The identity's login. An interaction that has its person never gets another one.

    Raises PageRefused for another person, IdpAnswerRefused for nobody.
    """
    identity = account.identity
    if identity is None:
        raise IdpAnswerRefused(f"identity provider {account.idp} did not say who this is")
    before = state.identity
    if before is not None and (before.issuer, before.subject) != (identity.issuer, identity.subject):
        raise PageRefused(
            "You are signed in as somebody else",
            "Another account signed in for this in another window.",
            "Close this window, and go on in the other one.",
            status=409,
            detail="the identity's leg was walked twice, by two people",
        )
    moment = identity.auth_time if identity.auth_time is not None else int(now)
    return msgspec.structs.replace(state.connecting(account), signed_in_at=moment)


def with_account(state: InteractionState, account: UpstreamAccount, known: KnownAccounts) -> InteractionState:
    """Another login. An account in place of another one is offered, and nothing is replaced yet."""
    if state.identity is None:
        raise IdpAnswerRefused(f"an account at {account.idp} came before anybody had signed in")
    before = _before(state, account.idp, known)
    if before is not None and (before.issuer, before.account) != (account.issuer, account.account):
        return msgspec.structs.replace(state, offered=account)
    return state.connecting(account)


def label_before(state: InteractionState, idp: str, known: KnownAccounts) -> str:
    """What people call the account that is connected."""
    before = _before(state, idp, known)
    return "" if before is None else before.label or before.account


def _before(state: InteractionState, idp: str, known: KnownAccounts) -> UpstreamAccount | KnownAccount | None:
    """The account that is connected: by this interaction, or before it."""
    return state.account(idp) or known.accounts.get(idp)
