"""What google-auth says when it fails, as one of our errors: which credential, for what, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ostiary.credentials.error import CredentialError, CredentialMisconfigured, CredentialUnreachable
from ostiary.oauth.client.echoed_secrets import without_echoes
from ostiary.transport.trust import tls_failure

FOR_GOOD = ("invalid_grant", "invalid_client", "invalid_scope", "unauthorized_client")
"""How google-auth's words begin when the token endpoint said no for good (RFC 6749 section 5.2)."""
LOG_IN = "log in again: gcloud auth application-default login"


@dataclass(frozen=True, slots=True)
class GoogleFailure:
    """How one source speaks of its failures."""

    credential: str
    endpoint: str
    without_identity: str
    """What to do when nothing says who we are."""
    role_wanted: str | None = None
    """The role, and on which account, that an impersonation needs."""
    is_a_persons_login: bool = False
    file: Path | None = None
    """The credentials file that was read."""
    sent: tuple[str, ...] = field(default=(), repr=False)
    """The secrets that were sent."""

    def explained(self, error: Exception) -> CredentialError:
        """The error for what google-auth raised, or what reading a file or an answer did."""
        from google.auth import exceptions  # noqa: PLC0415 - see google_requests

        match error:
            case CredentialError():
                return error
            case exceptions.DefaultCredentialsError() if not isinstance(error, exceptions.MalformedError):
                return self.misconfigured(in_words(error, self.sent), self.without_identity)
            case exceptions.TransportError():
                problem = tls_failure(error) or in_words(error, self.sent)
                return self.unreachable(problem, "see whether this machine reaches it")
            case exceptions.RefreshError():
                for_good = in_words(error, ()).startswith(FOR_GOOD)
                refused = self.misconfigured if for_good else self.unreachable
                return refused(in_words(error, self.sent), self.what_google_may_miss())
            case LookupError() | TypeError() | AttributeError():
                # google-auth trusts the shape of what it is answered
                return self.unreachable("it was not Google that answered", "see what does")
        return self.misconfigured(
            in_words(error, self.sent), f"see whether {self.file} is as Google gave it to you"
        )

    def what_google_may_miss(self) -> str:
        """What to do when Google refuses."""
        if self.role_wanted is not None:
            return f"grant the caller {self.role_wanted}"
        if self.is_a_persons_login:
            return LOG_IN
        return "see whether the service account and its key still exist"

    def misconfigured(self, problem: str, fix: str) -> CredentialMisconfigured:
        """Trying again won't help."""
        return CredentialMisconfigured(problem, credential=self.credential, endpoint=self.endpoint, fix=fix)

    def unreachable(self, problem: str, fix: str) -> CredentialUnreachable:
        """It may work later."""
        return CredentialUnreachable(problem, credential=self.credential, endpoint=self.endpoint, fix=fix)


def in_words(error: Exception, sent: Iterable[str]) -> str:
    """One line of an error; never its further arguments, which may be a whole answer with a token in it.

    sent: secrets, which Google, or whoever answers in its place, may repeat.
    """
    said = error.strerror if isinstance(error, OSError) and error.strerror else (error.args or (error,))[0]
    return without_echoes(" ".join(str(said).split()), sent)[:300].rstrip(".")
