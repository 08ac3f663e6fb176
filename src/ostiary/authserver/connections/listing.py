"""`GET /connections`: all that a person has here, by the owner that it is kept for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.config.resources import ResourceSettings, Use, owner_name
from ostiary.authserver.connections.browser_session import BrowserSession, find_browser_session
from ostiary.authserver.connections.client_view import client_view
from ostiary.authserver.connections.connect import connect_path
from ostiary.authserver.connections.context import ConnectionsContext
from ostiary.authserver.connections.ending import DISCONNECT, END, SIGN_OUT
from ostiary.authserver.connections.flash import flash_sentence
from ostiary.authserver.connections.inventory import Inventory, find_inventory
from ostiary.authserver.connections.offline_access import ALLOW, REVOKE, who_may_be_allowed
from ostiary.authserver.connections.sign_in import ask_to_sign_in
from ostiary.authserver.described_scopes import described_scopes
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.interaction_state import Chosen
from ostiary.authserver.interaction.skip_choices import MadeChoice
from ostiary.authserver.pages import (
    Client,
    ClientAccess,
    ConnectedAccount,
    Connections,
    Form,
    OfflineAccessOffer,
    OfflineAccessPermission,
    ResourceConnections,
    page_response,
)
from ostiary.authserver.sessions.listing import RunningSession
from ostiary.authserver.upstream_grants.grant import GrantState, UpstreamGrant

_NOT_CONNECTED: Mapping[Chosen, Literal["skipped", "refused", "absent"]] = {
    Chosen.SKIPPED: "skipped",
    Chosen.REFUSED: "refused",
    Chosen.FAILED: "refused",
    Chosen.KEPT: "absent",
}


async def listing(http_request: Request, context: ConnectionsContext) -> Response:
    """Raises OAuthError, StorageError."""
    request = BrowserRequest.of(http_request, context)
    person = await find_browser_session(http_request, context, now=request.now)
    if person is None:
        return await ask_to_sign_in(request)
    inventory = await context.store.read(
        lambda connection: find_inventory(connection, context.store, person.user_id, now=request.now)
    )
    view = _View(context, person, await _clients(context, inventory))
    page = Connections(
        signed_in_as=person.name,
        resources=view.owners(inventory),
        sign_out=person.form(context, SIGN_OUT),
        notice=flash_sentence(http_request, person),
    )
    return page_response(page)


async def _clients(context: ConnectionsContext, inventory: Inventory) -> dict[str, Client]:
    """Every client that the page may name."""
    unattended = {client.client_id for client in context.configured_clients}
    ids = sorted(inventory.client_ids | unattended)
    return dict(zip(ids, await asyncio.gather(*(client_view(context, one) for one in ids)), strict=True))


@dataclass(frozen=True, slots=True)
class _View:
    """Holdings, as the page shows them to this person."""

    context: ConnectionsContext
    person: BrowserSession
    clients: Mapping[str, Client]

    def owners(self, inventory: Inventory) -> list[ResourceConnections]:
        """Those whose people sign in where this person did, and whoever has something of theirs."""
        entries: dict[str, list[ResourceSettings]] = {}
        for entry in self.context.resources.entries:
            if entry.identity == self.person.idp:
                entries.setdefault(entry.owner_identity, []).append(entry)
        owners = dict.fromkeys([*entries, *inventory.owners])
        shown = (self._owner(owner, entries.get(owner, []), inventory.of(owner)) for owner in owners)
        return [one for one in shown if one is not None]

    def _owner(
        self, owner: str, entries: Sequence[ResourceSettings], inventory: Inventory
    ) -> ResourceConnections | None:
        """None where there is nothing to see or to do."""
        uses = {idp: use for entry in entries for idp, use in entry.uses.items()}
        if not inventory.owners and all(use is Use.IDENTITY for use in uses.values()):
            return None
        places = [entry.resource for entry in entries] or [one.session.resource for one in inventory.sessions]
        return ResourceConnections(
            owner=owner_name(owner),
            resource=", ".join(dict.fromkeys(places)) or "A server that is not served here any more",
            accounts=self._accounts(uses, entries, inventory),
            clients=[self._access(running) for running in inventory.sessions],
        )

    def _accounts(
        self, uses: Mapping[str, Use], entries: Sequence[ResourceSettings], inventory: Inventory
    ) -> list[ConnectedAccount]:
        accounts = []
        for idp in dict.fromkeys([*uses, *(grant.idp for grant in inventory.grants)]):
            connect = self._connect(idp, entries)
            grants = [grant for grant in inventory.grants if grant.idp == idp]
            accounts += [self._account(grant, connect, inventory) for grant in grants]
            if not grants and uses[idp] is not Use.IDENTITY:
                choice = next((one for one in inventory.choices if one.idp == idp), None)
                accounts.append(self._missing(idp, choice, connect))
        return accounts

    def _connect(self, idp: str, entries: Sequence[ResourceSettings]) -> Form | None:
        entry = next((entry for entry in entries if idp in entry.uses), None)
        if entry is None or idp not in self.context.idps:
            return None
        return self.person.form(self.context, connect_path(idp), resource=entry.resource)

    def _account(self, grant: UpstreamGrant, connect: Form | None, inventory: Inventory) -> ConnectedAccount:
        works = grant.state is not GrantState.NEEDS_RECONNECT
        return ConnectedAccount(
            idp=self._name(grant.idp),
            state="connected" if works else "needs_reconnect",
            account=grant.label or grant.account,
            scopes=grant.scopes,
            since=_moment(grant.connected_at) if works else None,
            connect=connect,
            disconnect=self.person.form(self.context, DISCONNECT, account=grant.id),
            offline_access=[
                OfflineAccessPermission(
                    self.clients[one.client_id],
                    _moment(one.until),
                    self.person.form(self.context, REVOKE, account=grant.id, client=one.client_id),
                )
                for one in inventory.permissions
                if one.grant_id == grant.id
            ],
            offline_access_offer=self._offline_access_offer(grant, inventory),
        )

    def _offline_access_offer(self, grant: UpstreamGrant, inventory: Inventory) -> OfflineAccessOffer | None:
        clients = [
            (one, self.clients[one].name) for one in who_may_be_allowed(self.context, grant, inventory)
        ]
        if not clients:
            return None
        return OfflineAccessOffer(clients, self.person.form(self.context, ALLOW, account=grant.id))

    def _missing(self, idp: str, choice: MadeChoice | None, connect: Form | None) -> ConnectedAccount:
        if choice is None:
            return ConnectedAccount(self._name(idp), "absent", connect=connect)
        return ConnectedAccount(
            self._name(idp),
            _NOT_CONNECTED[choice.chosen],
            since=_moment(choice.made_at),
            reason=choice.reason,
            connect=connect,
        )

    def _access(self, running: RunningSession) -> ClientAccess:
        session = running.session
        return ClientAccess(
            client=self.clients[session.client_id],
            scopes=described_scopes(session.scopes, self.context.resources.find(session.resource)),
            since=_moment(session.created_at),
            last_used=_moment(running.used_at),
            end=self.person.form(self.context, END, session=session.tsid_hash),
        )

    def _name(self, idp: str) -> str:
        return self.context.idps[idp].display_name if idp in self.context.idps else idp


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
