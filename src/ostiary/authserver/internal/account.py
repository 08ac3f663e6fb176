"""Which connected account a caller's token opens, for the workload that owns it. One read of the store.

The read is the same whether there is a session or not. For a workload that does not own the token's resource
it is that of a session which nobody has: neither time nor a damaged row tells it anything of the real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ostiary.authserver.resources import Resources
from ostiary.authserver.sessions.session import Session
from ostiary.authserver.sessions.session import find as find_session
from ostiary.authserver.tokens.revoked_tokens import is_revoked
from ostiary.authserver.upstream_grants import offline_access
from ostiary.authserver.upstream_grants.grant import of_session
from ostiary.oauth.server.entitlement import (
    NoEntitlement,
    NotEntitled,
    ResourceFacts,
    SessionFacts,
    TokenFacts,
    choose_idp,
    require_owner,
    require_session,
)
from ostiary.oauth.server.errors import InvalidRequest
from ostiary.oauth.server.upstream_exchange import UpstreamExchangeRequest
from ostiary.storage.store import Store, digest


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """What is exchanged. grant_id: None where the person has connected none at that provider."""

    idp: str
    owner: str
    grant_id: str | None


@dataclass(frozen=True, slots=True)
class Accounts:
    """Finds them."""

    store: Store
    resources: Resources

    async def find(
        self, workload: str, claims: Mapping[str, Any], wanted: UpstreamExchangeRequest, *, now: float
    ) -> ConnectedAccount:
        """The account that is wanted, if the workload may have it.

        workload: the owner that its certificate names; claims: of the subject token, verified.
        Raises NotEntitled, InvalidTarget, InvalidRequest, StorageError.
        """
        token = TokenFacts(claims["sub"], claims["client_id"], claims["aud"])
        tsid = claims.get("tsid")
        if tsid is None and "act" not in claims:
            raise InvalidRequest("the subject_token speaks for no person: a client by itself has no accounts")
        resource = self._resource(token.audience)
        is_owners = resource is not None and resource.owner == workload
        tsid_hash = digest((tsid or claims["jti"]) if is_owners else "")

        def read(connection: Connection) -> tuple[Session | None, dict[str, str], bool]:
            session = find_session(connection, self.store, tsid_hash)
            whose = ("", "") if session is None else (session.user_id, session.owner)
            grants = of_session(connection, self.store, tsid_hash, user_id=whose[0], owner=whose[1])
            newest = {grant.idp: grant.id for grant in grants}
            return session, newest, is_revoked(connection, claims)

        session, grants, was_revoked = await self.store.read(read)
        resource = require_owner(workload, resource)
        if tsid is None:
            return await self._while_away(resource, token, wanted, was_revoked=was_revoked, now=now)
        require_session(token, _facts(session, now), resource)
        idp = choose_idp(resource, token, server=wanted.server, idp=wanted.idp)
        return ConnectedAccount(idp, resource.owner_identity, grants.get(idp))

    async def _while_away(
        self,
        resource: ResourceFacts,
        token: TokenFacts,
        wanted: UpstreamExchangeRequest,
        *,
        was_revoked: bool,
        now: float,
    ) -> ConnectedAccount:
        """A client that acts for its person without a session: only what that person let it use meanwhile."""
        idp = choose_idp(resource, token, server=wanted.server, idp=wanted.idp)
        grant_id = await self.store.read(
            lambda connection: offline_access.newest_allowed(
                connection,
                self.store,
                user_id=token.subject,
                owner=resource.owner_identity,
                idp=idp,
                client_id=token.client_id,
                now=now,
            )
        )
        if grant_id is None or was_revoked:
            raise NotEntitled(NoEntitlement.NOT_DELEGATED)
        return ConnectedAccount(idp, resource.owner_identity, grant_id)

    def _resource(self, audience: str) -> ResourceFacts | None:
        target = self.resources.find(audience)
        if target is None:
            return None
        entry = target.settings
        return ResourceFacts(entry.owner, entry.owner_identity, tuple(entry.uses), entry.servers)


def _facts(session: Session | None, now: float) -> SessionFacts | None:
    if session is None or not session.lives(now):
        return None
    return SessionFacts(session.user_id, session.client_id, session.resource, session.owner)
