"""One exchange: the caller's token for that of their account, and what each answer means. RFC 8693."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ostiary.credentials.error import (
    CallerIsNoPerson,
    CallerNotEntitled,
    CredentialError,
    CredentialMisconfigured,
    CredentialUnreachable,
    ReauthenticationRequired,
)
from ostiary.credentials.tokens.token import Token
from ostiary.credentials.upstream_token.circuit import CircuitOpen
from ostiary.credentials.upstream_token.revocation_feed import WatchedSession
from ostiary.oauth.client.echoed_secrets import secrets_of
from ostiary.oauth.client.token_exchange import (
    exchange_form,
    is_as_asked,
    token_type_of,
    token_type_uri,
)
from ostiary.oauth.client.token_response import (
    TokenRequestRefused,
    TokenResponse,
    TokenResponseUnreadable,
    in_brief,
    read_token_response,
)
from ostiary.oauth.client.upstream_exchange import (
    REAUTHENTICATION_REQUIRED,
    AnswerUnreadable,
    read_connection,
    session_hash,
    session_of,
    speaks_for_a_person,
    token_hash,
)
from ostiary.oauth.jwt_parts import is_jwt, unverified_claims
from ostiary.secrets import Secret
from ostiary.transport.fetch import FetchError, NotTrusted
from ostiary.transport.retry_after import retry_after

if TYPE_CHECKING:
    from ostiary.credentials.headers.subject_token_source import SubjectTokenSource
    from ostiary.credentials.upstream_token.internal_port import InternalPort
    from ostiary.credentials.upstream_token.revocation_feed import RevocationFeed
    from ostiary.credentials.upstream_token.settings import UpstreamTokenSettings
    from ostiary.transport.fetched_document import FetchedDocument

KIND = "upstream_token"
SETTINGS_TO_MEND = {
    "invalid_client": "see what the authorization server's audit says of this certificate (workload_refused)",
    "invalid_scope": "set scopes to what the account is connected with",
    "invalid_target": "name the server as the authorization server's resources[].servers does",
    "unsupported_grant_type": "see whether token_url is the authorization server's exchange",
}
"""Errors that stay until somebody changes something, and what that is (RFC 6749 section 5.2, RFC 8707)."""
OF_THE_CALLER = frozenset({"invalid_grant", "invalid_request"})
"""Errors about the caller's token and session (RFC 8693 section 2.2.2)."""
AWAY = 1.0
"""Seconds after which an authorization server that is away is asked again, where nobody knows better."""


@dataclass(frozen=True, slots=True)
class UpstreamToken(Token):
    """A token of somebody's account, and what is known of the session that it was had for."""

    asked_at: float = 0.0
    """When it was asked for: seconds since the epoch."""
    session: WatchedSession | None = field(default=None, compare=False)
    """None where nobody tells whether it ended."""


@dataclass(frozen=True, slots=True)
class UpstreamTokenSource:
    """The tokens of one caller's account. feed: None when nobody is told of sessions that end."""

    settings: UpstreamTokenSettings
    subject: SubjectTokenSource
    port: InternalPort
    feed: RevocationFeed | None
    bound: float
    """Seconds for which a token is good without news of its session."""
    endpoint: str
    clock: Callable[[], float]
    credential: ClassVar[str] = KIND

    async def fetch(self) -> Token:
        """Ask the authorization server. Raises CredentialError."""
        return await self._asked(None)

    async def replace(self, refused: Token) -> Token:
        """Ask for another token than the one that the MCP server would not have. Raises CredentialError."""
        return await self._asked(token_hash(refused.value.reveal()))

    def version(self) -> Hashable:
        """As our certificate is now, and the caller's token."""
        return self.port.version(), self.subject.version()

    async def _asked(self, rejected: str | None) -> Token:
        settings, subject = self.settings, await self.subject.token()
        claims = unverified_claims(subject.value)  # looked at to ask less, never to give more
        if is_jwt(subject.value) and not speaks_for_a_person(claims):
            raise no_person(self.endpoint)
        requested = token_type_uri(settings.requested_token)
        form = exchange_form(
            subject,
            audience=settings.provider,
            resource=settings.server,
            scopes=settings.scopes,
            requested_token_type=requested,
        )
        session = await self._watched(session_of(claims))
        asked_at = self.clock()
        sent = form if rejected is None else {**form, "rejected_token_hash": rejected}
        response = self._read(await self._answer(sent), sent, requested)
        if response.expires_in is None:
            raise self._odd("it does not say when the token ends")
        ends = asked_at + response.expires_in
        if session is None:
            ends = min(ends, asked_at + self.bound)
        return UpstreamToken(Secret(response.access_token), ends, asked_at=asked_at, session=session)

    async def _watched(self, tsid: str | None) -> WatchedSession | None:
        """The session, from before it is asked for: its end may be told while the answer is under way."""
        if self.feed is None or tsid is None:
            return None
        self.feed.use(self.clock())
        await self.feed.begun()
        return self.feed.watch(session_hash(tsid))

    async def _answer(self, form: dict[str, str]) -> FetchedDocument:
        try:
            return await self.port.exchange(form)
        except CircuitOpen as error:
            raise self._away(str(error), "see whether it runs", error.retry_after) from None
        except NotTrusted as error:
            named = self.port.address.authserver_id
            fix = error.fix if named is None else f"see whether {named} answers there"
            raise self._away(error.reason, fix, self.port.circuit.retry_after) from None
        except FetchError as error:
            fix = "see whether it runs, and this machine reaches it"
            raise self._away(error.reason, fix, self.port.circuit.retry_after) from None

    def _read(self, document: FetchedDocument, form: dict[str, str], requested: str) -> TokenResponse:
        try:
            response = read_token_response(
                document.status,
                document.headers.get("content-type", ""),
                document.body,
                wanted_type=token_type_of(requested),
                sent=secrets_of(form, {}),
            )
        except TokenRequestRefused as refused:
            raise self._refused(refused, document) from None
        except TokenResponseUnreadable as unreadable:
            raise self._odd(unreadable.reason) from None
        if not is_as_asked(response.issued_token_type, requested):
            raise self._odd(f"it issued another type of token than {requested}")
        return response

    def _refused(self, refused: TokenRequestRefused, document: FetchedDocument) -> CredentialError:
        if refused.error == REAUTHENTICATION_REQUIRED:
            return self._to_be_connected(document)
        problem = f"the authorization server refused with {in_brief(refused.error, refused.description)}"
        if refused.error in SETTINGS_TO_MEND and refused.status < 500:
            return self._misconfigured(problem, SETTINGS_TO_MEND[refused.error])
        if refused.error in OF_THE_CALLER and refused.status < 500:
            return CallerNotEntitled(
                problem,
                credential=KIND,
                endpoint=self.endpoint,
                fix="sign in again; the authorization server's audit says more (upstream_token_refused)",
            )
        wait = retry_after(document.headers.get("retry-after"), now=self.clock())
        return self._away(problem, "wait; its log says more", AWAY if wait is None else wait)

    def _to_be_connected(self, document: FetchedDocument) -> CredentialError:
        try:
            wanted = read_connection(document.body)
        except AnswerUnreadable as error:
            return self._odd(str(error))
        return ReauthenticationRequired(
            f"the account at {wanted.idp} is not connected, or no longer",
            credential=KIND,
            endpoint=self.endpoint,
            fix=f"connect it at {wanted.connect_url}",
            idp=wanted.idp,
            connect_url=wanted.connect_url,
        )

    def _away(self, problem: str, fix: str, wait: float) -> CredentialError:
        return self._unreachable(f"{self.port.address.token_url}: {problem}", fix, wait)

    def _odd(self, problem: str) -> CredentialError:
        fix = "see whether token_url is right, and what answers there"
        return self._unreachable(f"{self.port.address.token_url}: {problem}", fix, None)

    def _unreachable(self, problem: str, fix: str, wait: float | None) -> CredentialError:
        return CredentialUnreachable(
            problem, credential=KIND, endpoint=self.endpoint, fix=fix, retry_after=wait
        )

    def _misconfigured(self, problem: str, fix: str) -> CredentialError:
        return CredentialMisconfigured(problem, credential=KIND, endpoint=self.endpoint, fix=fix)


def no_person(endpoint: str) -> CredentialError:
    """For a caller without an account to have tokens of."""
    return CallerIsNoPerson(
        "it is about a person's account, and the caller is a program by itself",
        credential=KIND,
        endpoint=endpoint,
        fix="call with the token of somebody who signed in",
    )
