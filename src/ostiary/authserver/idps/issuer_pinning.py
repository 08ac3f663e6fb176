"""Who stands behind an entry's name. Another issuer behind the same name is an error until it is confirmed.

People are known by issuer and subject, so nobody is carried over: whoever comes from the new issuer is
somebody else. What is asked here is whether it was meant.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select, update

from ostiary.authserver.config.idps import IdpSettings
from ostiary.authserver.idps.idp import IdpRepointed, Idps
from ostiary.storage.inserts import insert_or_ignore
from ostiary.storage.schema import idp_issuers
from ostiary.storage.store import Store

_row = idp_issuers.c


async def pin_issuers(store: Store, idps: Idps, entries: Mapping[str, IdpSettings]) -> None:
    """Remember each issuer by its entry's name. Raises IdpRepointed, StorageError."""

    def compare(connection: Connection) -> None:
        for name, idp in idps.items():
            _pin(connection, name, idp.issuer, entries[name].previous_issuer)

    await store.transaction(compare)


def _pin(connection: Connection, name: str, issuer: str, previous: str | None) -> None:
    connection.execute(insert_or_ignore(connection, idp_issuers).values(name=name, issuer=issuer))
    if previous is not None:
        meant = (_row.name == name) & (_row.issuer == previous)
        connection.execute(update(idp_issuers).where(meant).values(issuer=issuer))
    known = connection.execute(select(_row.issuer).where(_row.name == name)).scalar_one()
    if known != issuer:
        raise IdpRepointed(
            f"identity provider {name} was {known} and is {issuer} now: if that is meant, say "
            f"previous_issuer: {known} in its entry; its people will be other people here"
        )
