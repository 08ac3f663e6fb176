"""An account that came back, and what is connected already."""

from __future__ import annotations

from sqlalchemy import Connection

from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.skip_choices import forget_choice
from ostiary.authserver.sessions import users
from ostiary.authserver.sessions.listing import resources_of_sessions
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.authserver.upstream_grants import session_grants
from ostiary.authserver.upstream_grants.account_replacement import Replaced, replace_others
from ostiary.authserver.upstream_grants.grant import GrantState, UpstreamGrant, of_owner
from ostiary.authserver.upstream_grants.upsert import upsert
from ostiary.storage.store import Store


def connected_account(
    connection: Connection, store: Store, user_id: str, owner: str, idp: str
) -> UpstreamGrant | None:
    """One that works rather than one that does not, the latest of several."""
    grants = [
        grant for grant in of_owner(connection, store, user_id=user_id, owner=owner) if grant.idp == idp
    ]
    return max(grants, key=_worth, default=None)


def account_to_replace(
    connection: Connection, store: Store, user_id: str, owner: str, account: UpstreamAccount
) -> UpstreamGrant | None:
    """The account that this one would replace; None when it is the same, or none is connected."""
    grants = of_owner(connection, store, user_id=user_id, owner=owner)
    others = [grant for grant in grants if grant.idp == account.idp]
    if any((grant.issuer, grant.account) == (account.issuer, account.account) for grant in others):
        return None
    return max(others, key=_worth, default=None)


def connect_account(
    connection: Connection,
    context: InteractionContext,
    user_id: str,
    owner: str,
    account: UpstreamAccount,
    *,
    now: float,
) -> list[Replaced]:
    """It is the person's account at this owner from now on, in the sessions that run, too.

    Gives those whose place it took, to be disconnected. A session that begins at this moment waits for the
    person's row as we do, so that it does not miss the account.
    """
    users.lock(connection, user_id)
    grant_id = upsert(connection, context.store, user_id=user_id, owner=owner, account=account, now=now)
    forget_choice(connection, user_id, owner, account.idp)
    _share(connection, context, user_id, owner, account.idp, grant_id, now)
    return replace_others(connection, grant_id)


def _share(
    connection: Connection,
    context: InteractionContext,
    user_id: str,
    owner: str,
    idp: str,
    grant_id: str,
    now: float,
) -> None:
    """With the sessions of this person and owner whose resource has this provider."""
    running = resources_of_sessions(connection, user_id, owner, now=now)
    theirs = [tsid_hash for tsid_hash, resource in running if _has(context, resource, owner, idp)]
    session_grants.share(connection, grant_id, theirs)


def _has(context: InteractionContext, resource: str, owner: str, idp: str) -> bool:
    target = context.resources.find(resource)
    return target is not None and target.settings.owner_identity == owner and idp in target.settings.uses


def _worth(grant: UpstreamGrant) -> tuple[bool, float]:
    return grant.state is not GrantState.NEEDS_RECONNECT, grant.connected_at
