"""New tokens for a grant, by one replica at a time.

A provider that rotates refresh tokens takes the second showing of one for theft, and ends all that followed
from it. So a grant is claimed, by one statement, before the provider is asked. The claim ends by itself when
its holder dies; its holder stops asking well before that. Others wait, and read what the holder stored.

    answered              stored where the old token still stands, whoever has the claim by then
    no answer             the grant is in doubt, and free: the next one may try
    an answer of no use   in doubt, too; a refresh token in it is stored, for it took the old one's place
    never given back      its holder died: in doubt, and tried once; if that one dies too, its person has to
                          connect again, so that nothing goes round for ever
    the provider is down  nothing was spent: the grant stays as it is
    the store is away     nobody asks the provider
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import Connection

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.background import Background
from ostiary.authserver.idps.idp import (
    GrantDead,
    IdpAnswerRefused,
    IdpError,
    Idps,
    IdpUnavailable,
    UpstreamIdp,
)
from ostiary.authserver.upstream_account import UpstreamTokens
from ostiary.authserver.upstream_grants import transitions
from ostiary.authserver.upstream_grants.grant import GrantState, UpstreamGrant, find
from ostiary.event_log import event_log
from ostiary.inline_coroutines import hopping, in_task
from ostiary.oauth.jwt_parts import NotAJwt, jwt_parts
from ostiary.storage.errors import StorageError
from ostiary.storage.store import Store, digest
from ostiary.telemetry.audit import Audit

ASKING = 15.0
"""Seconds that the provider may take, all in all."""
CLAIM = 40.0
"""Seconds that a claim lasts: what asking and storing may take, and what replicas' clocks may differ by."""
PATIENCE = 20.0
"""Seconds that one waits for another's answer."""
STORING = 10.0
"""Seconds for which an answer is tried to be stored: it is the only copy of what opens the account."""
EARLY = 60.0
"""Seconds before its end that an access token is renewed, or a fifth of its life if that is less."""
PAUSES = (0.02, 0.05, 0.1, 0.25)
"""Seconds between looks at what another does; the last again and again."""

log = event_log("ostiary.authserver")

Kind = Literal["access", "id"]
WaitListener = Callable[[str, float], None]
"""Is told whose tokens (a provider) one waited for while another renewed them, and for how many seconds."""


@dataclass(frozen=True, slots=True)
class Renewals:
    """Renews the tokens of grants."""

    store: Store
    idps: Idps
    audit: Audit
    background: Background
    listeners: list[WaitListener] = field(default_factory=list)

    def hear(self, listener: WaitListener) -> None:
        """Have every wait for another's claim told to `listener`."""
        self.listeners.append(listener)

    async def has(self, grant_id: str, token_hash: str) -> bool:
        """Whether the token with this digest is one of those that the grant has now. Raises StorageError."""
        grant = await self.store.read(lambda connection: find(connection, self.store, grant_id))
        if grant is None:
            return False
        return token_hash in {digest(grant.tokens.access_token), digest(grant.tokens.id_token or "")}

    async def fresh_tokens(
        self, grant_id: str, *, now: float, kind: Kind = "access", rejected: str | None = None
    ) -> UpstreamTokens:
        """Tokens of which the one of that kind is good for a while; renewed, when it is not.

        rejected: the digest of a token that its server would not have, which is not given again.
        Raises GrantDead, IdpUnavailable, IdpAnswerRefused, StorageError.
        """

        def good(grant: UpstreamGrant, at: float) -> bool:
            if kind == "id":
                return _id_token_is_good(grant, at) and digest(grant.tokens.id_token or "") != rejected
            return _access_token_is_good(grant, at) and digest(grant.tokens.access_token) != rejected

        grant = await Refresher(self, grant_id, good, now).wait()
        if kind == "id" and not _id_token_is_good(grant, now):
            raise IdpAnswerRefused(f"identity provider {grant.idp} gives no ID token when it renews tokens")
        return grant.tokens

    async def renewed_tokens(self, seen: UpstreamGrant, *, now: float) -> UpstreamTokens:
        """Tokens that are newer than those seen, however good those are. Raises as `fresh_tokens`."""
        refresher = Refresher(self, seen.id, lambda grant, _: grant.version != seen.version, now)
        return (await refresher.wait()).tokens


@dataclass(slots=True)
class Refresher:
    """One caller's wish for better tokens. good: whether a grant's are, at that time."""

    renewals: Renewals
    grant_id: str
    good: Callable[[UpstreamGrant, float], bool]
    started: float
    waited: dict[str, float] = field(default_factory=dict)
    """Provider → seconds for which another held the claim."""

    async def wait(self) -> UpstreamGrant:
        try:
            return await self._better()
        finally:
            for idp, seconds in self.waited.items():
                for listener in self.renewals.listeners:
                    listener(idp, seconds)

    async def _better(self) -> UpstreamGrant:
        clock = asyncio.get_running_loop().time
        began, look, waited_for = clock(), 0, None
        while True:
            now = self.started + (clock() - began)
            grant = await self._grant()
            if grant.state is not GrantState.NEEDS_RECONNECT and self.good(grant, now):
                return grant
            self._refuse_dead(grant)
            if waited_for is not None and grant.claim_holder is None and grant.version == waited_for:
                raise IdpUnavailable(f"identity provider {grant.idp} gave no tokens to who asked before us")
            if grant.claim_until <= now:
                claimed = await self._claim(grant, now)
                if claimed is not None:
                    return claimed
            if now - self.started > PATIENCE:
                raise IdpUnavailable(f"the tokens of identity provider {grant.idp} are being renewed")
            waited_for = grant.version if grant.claim_holder is not None else None
            await asyncio.sleep(PAUSES[min(look, len(PAUSES) - 1)])
            self.waited[grant.idp] = self.started + (clock() - began) - now + self.waited.get(grant.idp, 0.0)
            look += 1

    async def _grant(self) -> UpstreamGrant:
        store = self.renewals.store
        grant = await store.read(lambda connection: find(connection, store, self.grant_id))
        if grant is None:
            raise GrantDead("the account is not connected any more")
        return grant

    def _refuse_dead(self, grant: UpstreamGrant) -> None:
        if grant.state is GrantState.NEEDS_RECONNECT:
            raise GrantDead(f"the account at identity provider {grant.idp} has to be connected again")

    @hopping  # what is claimed is asked for, also when whoever wanted it is gone
    async def _claim(self, seen: UpstreamGrant, now: float) -> UpstreamGrant | None:
        """The renewed grant; None when another was quicker."""
        renewals, holder = self.renewals, str(uuid.uuid4())
        idp = renewals.idps.get(seen.idp)
        if idp is None or seen.tokens.refresh_token is None:
            if idp is not None and not _access_token_is_good(seen, now):
                await _mark_dead(renewals, seen, "its token has ended, and nothing renews it")
            raise GrantDead(f"the account at identity provider {seen.idp} has to be connected again")

        def claim(connection: Connection) -> UpstreamGrant | None:
            return transitions.claim(
                connection, renewals.store, seen, holder=holder, now=now, until=now + CLAIM
            )

        claimed = await renewals.store.transaction(claim)
        if claimed is None:
            return None
        if claimed.claim_holder != holder:
            _tell_dead(renewals, claimed, "two in a row died while they renewed it")
            raise GrantDead(f"the account at identity provider {seen.idp} has to be connected again")
        asking = in_task(RefreshAttempt(renewals, idp, claimed, holder, now).run())
        renewals.background.start(_end_of(asking), what="renewal of upstream tokens")
        await asyncio.shield(asking)  # whoever waits may go away; the answer is stored all the same
        return await self._grant()


@dataclass(slots=True)
class RefreshAttempt:
    """The provider is asked, by whoever holds the claim."""

    renewals: Renewals
    idp: UpstreamIdp
    grant: UpstreamGrant
    holder: str
    now: float

    async def run(self) -> None:
        try:
            async with asyncio.timeout(ASKING):
                tokens = await self.idp.renew(
                    self.grant.tokens, issuer=self.grant.issuer, client_id=self.grant.client_id, now=self.now
                )
        except GrantDead as error:
            await _mark_dead(self.renewals, self.grant, str(error))
            raise
        except TimeoutError:
            reason = f"identity provider {self.grant.idp} did not answer within {ASKING:g} seconds"
            await self._give_back(GrantState.IN_DOUBT, reason)
            raise IdpUnavailable(reason) from None
        except IdpError as error:
            await self._left(error)
            raise
        await self._put(tokens)

    async def _left(self, error: IdpError) -> None:
        """Keep what is left, so that a spent refresh token is not shown again. Raises GrantDead, too."""
        left = error.left if isinstance(error, IdpAnswerRefused) else None
        if left is None:
            await self._give_back(
                GrantState.IN_DOUBT if error.may_have_spent else self.grant.state, str(error)
            )
        elif left.refresh_token is None:
            await _mark_dead(self.renewals, self.grant, f"{error}; it replaced the refresh token by none")
            raise GrantDead(f"the account at identity provider {self.grant.idp} has to be connected again")
        else:
            await self._put(left)

    async def _put(self, tokens: UpstreamTokens) -> None:
        renewals, grant = self.renewals, self.grant

        def put(connection: Connection) -> bool:
            return transitions.put(connection, renewals.store, grant, tokens, now=self.now)

        if await _insisting(renewals, put):
            _tell(renewals, AuditEvent.ACCOUNT_RENEWED, grant)
        elif await renewals.store.read(lambda connection: find(connection, renewals.store, grant.id)) is None:
            await self.idp.revoke(tokens, issuer=grant.issuer, client_id=grant.client_id)

    async def _give_back(self, state: GrantState, reason: str) -> None:
        """A store that is away changes nothing about the provider's answer: then the claim lapses."""
        _tell(self.renewals, AuditEvent.ACCOUNT_RENEWAL_FAILED, self.grant, state=state.value, reason=reason)
        try:
            await self.renewals.store.transaction(
                lambda connection: transitions.give_back(
                    connection, self.grant, holder=self.holder, state=state
                )
            )
        except StorageError as error:
            log.warning("claim_not_given_back", idp=self.grant.idp, reason=str(error))


async def _end_of(asking: asyncio.Task[None]) -> None:
    """For a server that stops: it waits for what is under way."""
    await asyncio.wait({asking})


async def _insisting(renewals: Renewals, put: Callable[[Connection], bool]) -> bool:
    """Try again while the store is away. Raises StorageError when it stays so."""
    clock = asyncio.get_running_loop().time
    ends = clock() + STORING
    while True:
        try:
            return await renewals.store.transaction(put)
        except StorageError:
            if clock() >= ends:
                raise
        await asyncio.sleep(PAUSES[-1])


async def _mark_dead(renewals: Renewals, grant: UpstreamGrant, reason: str) -> None:
    if await renewals.store.transaction(lambda connection: transitions.mark_dead(connection, grant)):
        _tell_dead(renewals, grant, reason)


def _tell_dead(renewals: Renewals, grant: UpstreamGrant, reason: str) -> None:
    _tell(renewals, AuditEvent.ACCOUNT_NEEDS_RECONNECT, grant, reason=reason)


def _tell(renewals: Renewals, event: AuditEvent, grant: UpstreamGrant, **particulars: str) -> None:
    renewals.audit.write(
        event,
        subject=grant.user_id,
        owner=grant.owner,
        idp=grant.idp,
        account=grant.account,
        **particulars,
    )


def _access_token_is_good(grant: UpstreamGrant, now: float) -> bool:
    """One whose end is not known is good until its server says otherwise."""
    if grant.expires_at is None:
        return True
    life = grant.expires_at - grant.renewed_at
    return now < grant.expires_at - min(EARLY, max(life, 0.0) / 5)


def _id_token_is_good(grant: UpstreamGrant, now: float) -> bool:
    """By its own end, which is not the access token's."""
    try:
        ends = jwt_parts(grant.tokens.id_token or "").moment("exp")
    except NotAJwt:
        return False
    return ends is not None and now < ends - EARLY / 2
