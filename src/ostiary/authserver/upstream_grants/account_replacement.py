"""One account takes the place of another, as its person agreed: in every session that used the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.upstream_grants import session_grants
from ostiary.authserver.upstream_grants.disconnect import Disconnector
from ostiary.storage.schema import upstream_grants

_row = upstream_grants.c


@dataclass(frozen=True, slots=True)
class Replaced:
    """A grant that no session uses any more."""

    grant_id: str
    idp: str
    account: str
    by: str
    """The account that took its place."""


def replace_others(connection: Connection, grant_id: str) -> list[Replaced]:
    """The grant takes the place of the person's others at its provider, for its owner."""
    mine = connection.execute(select(upstream_grants).where(_row.id == grant_id)).one()
    others = connection.execute(
        select(_row.id, _row.account).where(
            _row.user_id == mine.user_id,
            _row.owner == mine.owner,
            _row.idp == mine.idp,
            _row.id != grant_id,
        )
    ).all()
    session_grants.move(connection, [other.id for other in others], to=grant_id)
    return [Replaced(other.id, mine.idp, other.account, mine.account) for other in others]


async def disconnect_replaced(
    replaced: Iterable[Replaced], disconnector: Disconnector, *, subject: str, owner: str
) -> None:
    """After the commit. Raises StorageError; what stays then, no session uses."""
    for one in replaced:
        disconnector.audit.write(
            AuditEvent.ACCOUNT_REPLACED,
            subject=subject,
            owner=owner,
            idp=one.idp,
            account=one.by,
            before=one.account,
        )
        await disconnector.disconnect(one.grant_id)
