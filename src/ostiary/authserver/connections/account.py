"""An account that came back, and what is connected already."""

from __future__ import annotations

from sqlalchemy import Connection, String, literal, select

from ostiary.authserver.interaction.skip_choices import forget_choice
from ostiary.authserver.services import Parts
from ostiary.authserver.sessions.account_replacement import Replaced, replace_others
from ostiary.authserver.upstream_account import Connected
from ostiary.authserver.upstream_grants.grant import GrantState, UpstreamGrant, of_owner
from ostiary.authserver.upstream_grants.upsert import keep
from ostiary.storage.schema import session_grants, token_sessions, users
from ostiary.storage.store import Store, insert_or_ignore

_session = token_sessions.c


def connected_account(
    connection: Connection, store: Store, user_id: str, owner: str, idp: str
) -> UpstreamGrant | None:
    """One that works rather than one that does not, the latest of several."""
    grants = [
        grant for grant in of_owner(connection, store, user_id=user_id, owner=owner) if grant.idp == idp
    ]
    return max(grants, key=_worth, default=None)


def takes_the_place_of(
    connection: Connection, store: Store, user_id: str, owner: str, account: Connected
) -> UpstreamGrant | None:
    """The account that this one would replace; None when it is the same, or none is connected."""
    grants = of_owner(connection, store, user_id=user_id, owner=owner)
    others = [grant for grant in grants if grant.idp == account.idp]
    if any((grant.issuer, grant.account) == (account.issuer, account.account) for grant in others):
        return None
    return max(others, key=_worth, default=None)


def take(
    connection: Connection, parts: Parts, user_id: str, owner: str, account: Connected, *, now: float
) -> list[Replaced]:
    """It is the person's account at this owner from now on, in the sessions that run, too.

    Gives those whose place it took, to be disconnected. A session that begins at this moment waits for the
    person's row as we do, so that it does not miss the account.
    """
    connection.execute(select(users.c.id).where(users.c.id == user_id).with_for_update())
    grant_id = keep(connection, parts.store, user_id=user_id, owner=owner, connected=account, now=now)
    forget_choice(connection, user_id, owner, account.idp)
    _share(connection, parts, user_id, owner, account.idp, grant_id, now)
    return replace_others(connection, grant_id)


def _share(
    connection: Connection, parts: Parts, user_id: str, owner: str, idp: str, grant_id: str, now: float
) -> None:
    """With the sessions of this person and owner whose resource has this provider."""
    running = (
        _session.user_id == user_id,
        _session.owner == owner,
        _session.ended_at.is_(None),
        _session.expires_at > now,
    )
    resources = connection.execute(select(_session.resource).where(*running).distinct()).scalars()
    theirs = [resource for resource in resources if _has(parts, resource, owner, idp)]
    pointing = select(_session.tsid_hash, literal(grant_id, String)).where(
        *running, _session.resource.in_(theirs)
    )
    connection.execute(
        insert_or_ignore(connection, session_grants).from_select(["tsid_hash", "grant_id"], pointing)
    )


def _has(parts: Parts, resource: str, owner: str, idp: str) -> bool:
    target = parts.resources.find(resource)
    return target is not None and target.settings.owner == owner and idp in target.settings.uses


def _worth(grant: UpstreamGrant) -> tuple[bool, float]:
    return grant.state is not GrantState.NEEDS_RECONNECT, grant.connected_at
