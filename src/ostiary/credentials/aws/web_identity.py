"""Which role a JWT opens, and the session that STS gives for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ostiary.credentials.aws.sigv4 import AwsKeys
from ostiary.credentials.aws.sts import (
    FOR_GOOD,
    AwsSession,
    StsRefused,
    StsUnreadable,
    assume_role_form,
    read_session,
)
from ostiary.credentials.error import CredentialMisconfigured, CredentialUnreachable
from ostiary.credentials.tokens.token import Token
from ostiary.oauth.client.echoed_secrets import without_echoes
from ostiary.oauth.jwt_parts import unverified_claims
from ostiary.secrets import Secret
from ostiary.transport.fetch import FetchError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from ostiary.credentials.aws.settings import AwsSigV4Settings
    from ostiary.credentials.headers.subject_token_source import SubjectTokenSource
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl

LONGEST_SAID = 300
"""Characters of what STS says that are told."""
_NOT_IN_A_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsToken(Token):
    """A session token, with the keys that go with it."""

    keys: AwsKeys = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebIdentitySource:
    """Sessions for one subject."""

    settings: AwsSigV4Settings
    subject: SubjectTokenSource
    server_url: CanonicalUrl
    runtime: Runtime
    credential: ClassVar[str] = "aws_sigv4"

    @property
    def endpoint(self) -> str:
        """The server that the keys are for."""
        return self.server_url.origin

    async def fetch(self) -> Token:
        """Ask STS. Raises CredentialError."""
        jwt = (await self.subject.token()).value
        claims = unverified_claims(jwt)  # a caller's were verified at the door, and STS verifies all
        form = assume_role_form(
            role=self._role(claims),
            session_name=self._session_name(claims),
            jwt=jwt,
            seconds=int(self.settings.session_duration.total_seconds()),
        )
        session = await self._ask(form, jwt)
        token = Secret(session.keys.session_token or "")
        return AwsToken(value=token, expires_at=session.expires_at, keys=session.keys)

    def version(self) -> Hashable:
        """As the caller's token is now."""
        return self.subject.version()

    async def _ask(self, form: Mapping[str, str], jwt: str) -> AwsSession:
        url = self.settings.sts
        try:
            return read_session(await self.runtime.fetcher.post_form(url, form, reach=self.settings.reach))
        except FetchError as error:
            raise self._unreachable(error.reason, "see whether this machine reaches it") from None
        except StsUnreadable as error:
            raise self._unreachable(str(error), "see whether sts_url is right") from None
        except StsRefused as refused:
            said = f"it refused with {without_echoes(str(refused), [jwt])[:LONGEST_SAID]}"
            role = form["RoleArn"]
            if refused.code not in FOR_GOOD:
                raise self._unreachable(said, f"see what AWS says about that for {role}") from None
            problem = f"STS at {url}: {said}"
            raise self._misconfigured(
                problem, f"let {role} trust the JWT's issuer, audience and subject"
            ) from None

    def _role(self, claims: Mapping[str, Any]) -> str:
        settings = self.settings
        said = claims.get(settings.role_claim)
        values = said if isinstance(said, list) else [said]
        for value, role in (settings.roles or {}).items():
            if value in values:
                return role
        if settings.role is not None:
            return settings.role
        raise self._misconfigured(
            f"no role is for what the JWT's claim {settings.role_claim} says",
            "add one to roles, or set role for all others",
        )

    def _session_name(self, claims: Mapping[str, Any]) -> str:
        said = claims.get(self.settings.session_name_claim)
        name = _NOT_IN_A_NAME.sub("-", said)[:64] if isinstance(said, str) else ""
        return name if len(name) > 1 else "ostiary"

    def _misconfigured(self, problem: str, fix: str) -> CredentialMisconfigured:
        return CredentialMisconfigured(problem, credential=self.credential, endpoint=self.endpoint, fix=fix)

    def _unreachable(self, problem: str, fix: str) -> CredentialUnreachable:
        return CredentialUnreachable(
            f"STS at {self.settings.sts}: {problem}",
            credential=self.credential,
            endpoint=self.endpoint,
            fix=fix,
        )
