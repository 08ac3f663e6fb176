"""What we know of a person before this interaction: connected accounts, and what they skipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from ostiary.authserver.interaction.interaction_state import Choice
from ostiary.authserver.interaction.skip_choices import remembered_choices
from ostiary.authserver.sessions.users import find_user
from ostiary.authserver.upstream_account import Identity
from ostiary.authserver.upstream_grants.grant import GrantState, of_owner
from ostiary.storage.store import Store


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """What the person gave the owner at a provider before."""

    issuer: str
    account: str
    label: str
    is_active: bool
    """Whether it still works; otherwise it has to be connected again."""


@dataclass(frozen=True, slots=True)
class KnownAccounts:
    """By the providers' names. Nothing, for somebody who is new here."""

    accounts: Mapping[str, KnownAccount] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)


def find_known_accounts(
    connection: Connection, store: Store, identity: Identity | None, owner: str
) -> KnownAccounts:
    """Of this person, towards this owner."""
    if identity is None:
        return KnownAccounts()
    user_id = find_user(connection, store, identity)
    if user_id is None:
        return KnownAccounts()
    choices = remembered_choices(connection, user_id, owner)
    return KnownAccounts(_accounts(connection, store, user_id, owner), choices)


def _accounts(connection: Connection, store: Store, user_id: str, owner: str) -> dict[str, KnownAccount]:
    """One a provider: one that works rather than one that does not, the latest of several."""
    found: dict[str, KnownAccount] = {}
    for grant in of_owner(connection, store, user_id=user_id, owner=owner):
        works = grant.state is not GrantState.NEEDS_RECONNECT
        if works or grant.idp not in found or not found[grant.idp].is_active:
            found[grant.idp] = KnownAccount(grant.issuer, grant.account, grant.label or grant.account, works)
    return found
