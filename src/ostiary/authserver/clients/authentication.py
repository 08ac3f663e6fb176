"""Does the request come from the client that it names? RFC 6749 section 2.3.

client_secret_basic, client_secret_post   a secret, compared by its digest
private_key_jwt                           its own statement, or its platform's about the workload that it is
tls_client_auth                           the certificate of the connection, where one is asked for
none                                      its name alone
"""

from __future__ import annotations

import hmac

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.clients.configured_clients import secret_digest
from ostiary.authserver.clients.private_key_jwt import ClientAssertions
from ostiary.authserver.clients.registry import ClientRegistry
from ostiary.authserver.clients.workload_assertions import WorkloadAssertions
from ostiary.authserver.config.certificate_names import is_certificate_of
from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.rates import ClientRate, RateLimit
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.client_authentication import (
    Presented,
    PresentedAssertion,
    PresentedClientId,
    PresentedSecret,
    read_presented,
    subject_of_assertion,
)
from ostiary.oauth.server.errors import InvalidClient
from ostiary.rates import read_rate
from ostiary.telemetry.audit import Audit

UNPROVEN = "the client is unknown or did not prove who it is"

WRONG_SECRETS = read_rate("60/m")
"""How many wrong secrets one address may try for one client: beyond it, a right one is not heard either."""

_NOBODYS = bytes(32)


class ClientAuthenticator:
    """Authenticates the clients of one registry."""

    def __init__(
        self,
        registry: ClientRegistry,
        *,
        client_assertions: ClientAssertions,
        workload_assertions: WorkloadAssertions,
        audit: Audit,
    ) -> None:
        self._registry = registry
        self._client_assertions = client_assertions
        self._workload_assertions = workload_assertions
        self._audit = audit
        self._wrong_secrets = RateLimit(WRONG_SECRETS)

    async def authenticate(
        self, form: FormRequest, *, limit: ClientRate, now: float, stale_ok: bool = False
    ) -> Client:
        """The client, within its limit. Unknown and unproven get the same answer after the same work.

        stale_ok: for what goes on with an authorization, see `ClientRegistry.find`. Raises InvalidRequest,
        InvalidClient, Unavailable, TooManyRequests, StorageError.
        """
        try:
            presented = read_presented(form.authorization, form.parameters)
        except InvalidClient as refused:
            limit.ask(None, form.peer, now=now)
            self._write_refusal(refused, None, form)
            raise
        counted = limit.ask(presented.client_id, form.peer, now=now)
        try:
            client = await self._proven(presented, form, now=now, stale_ok=stale_ok)
        except InvalidClient as refused:
            self._write_refusal(refused, presented, form)
            await self._registry.look_in_vain(presented.client_id or "")
            raise
        counted.is_of(client.client_id, now=now)
        return client

    def _write_refusal(self, refused: InvalidClient, presented: Presented | None, form: FormRequest) -> None:
        self._audit.write(
            AuditEvent.CLIENT_REFUSED,
            client=None if presented is None else presented.client_id,
            method=_method(presented, form),
            reason=refused.detail or refused.description,
            address=form.peer,
        )

    async def _proven(self, presented: Presented, form: FormRequest, *, now: float, stale_ok: bool) -> Client:
        if isinstance(presented, PresentedAssertion) and not _speaks_of_itself(presented):
            client_id = await self._workload_assertions.client_of(
                presented.assertion, presented.client_id, now=now
            )
            return _known(await self._registry.find(client_id))
        assert presented.client_id is not None  # noqa: S101 - for the type checker: it has named itself
        client = await self._registry.find(presented.client_id, asked_from=form.peer, stale_ok=stale_ok)
        match presented:
            case PresentedSecret():
                return self._with_secret(client, presented, form.peer, now=now)
            case PresentedClientId():
                return _with_certificate(_known(client), form.certificate)
            case PresentedAssertion():
                return await self._with_statement(client, presented.assertion, form, now=now)

    async def _with_statement(
        self, client: Client | None, assertion: str, form: FormRequest, *, now: float
    ) -> Client:
        try:
            signing = _of_method(_known(client), "private_key_jwt")
        except InvalidClient as unfit:
            self._client_assertions.refuse(assertion, unfit)
        await self._client_assertions.check(
            assertion, signing, endpoint=form.url, now=now, asked_from=form.peer
        )
        return signing

    def _with_secret(
        self, client: Client | None, presented: PresentedSecret, address: str, *, now: float
    ) -> Client:
        """OAuth 2.1 section 2.4.1: a secret is not guessed. Unknown clients are counted as well."""
        self._wrong_secrets.check(presented.client_id, address, now=now)
        try:
            return _with_right_secret(client, presented)
        except InvalidClient:
            self._wrong_secrets.take(presented.client_id, address, now=now)
            raise


def _with_right_secret(client: Client | None, presented: PresentedSecret) -> Client:
    expected = _NOBODYS if client is None else client.secret_digest or _NOBODYS
    good = hmac.compare_digest(expected, secret_digest(presented.secret))
    known = _known(client)
    if not good:
        raise InvalidClient(UNPROVEN, detail="the secret is wrong")
    return _of_method(known, presented.method)


def _with_certificate(client: Client, certificate: bytes | None) -> Client:
    """A name is enough for a public client; with a certificate, for one whose name it has."""
    if client.auth_method != "tls_client_auth":
        return _of_method(client, "none")
    if certificate is None:
        raise InvalidClient(UNPROVEN, detail="there is no certificate on this listener: see authserver.mtls")
    if not is_certificate_of(client, certificate):
        raise InvalidClient(UNPROVEN, detail="the certificate has another name than the client's")
    return client


def _known(client: Client | None) -> Client:
    if client is None:
        raise InvalidClient(UNPROVEN, detail="there is no such client")
    return client


def _of_method(client: Client, method: str) -> Client:
    if client.auth_method != method:
        detail = f"it came by {method} and is registered for {client.auth_method}"
        raise InvalidClient(UNPROVEN, detail=detail)
    return client


def _speaks_of_itself(presented: PresentedAssertion) -> bool:
    return subject_of_assertion(presented.assertion) is not None


def _method(presented: Presented | None, form: FormRequest) -> str | None:
    match presented:
        case PresentedSecret():
            return presented.method
        case PresentedAssertion():
            return "private_key_jwt" if _speaks_of_itself(presented) else "workload"
        case PresentedClientId():
            return "none" if form.certificate is None else "tls_client_auth"
    return None
