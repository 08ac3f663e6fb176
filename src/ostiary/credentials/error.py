"""When there is no credential to send.

CredentialError is the root of everything that credentials raise. It says which credential, at which
endpoint, what went wrong, and what to do; never a secret.

    CredentialError
    ├── CallerUnknown              it acts for the caller of a request, and this one has none
    ├── CallerIsNoPerson           it is about a person's account, and the caller is a program by itself
    ├── CallerNotEntitled          their sign-in is over, or was for something else
    ├── ReauthenticationRequired   the person has to connect an account, or to connect it again
    ├── CredentialMisconfigured    trying again won't help before somebody changes something
    └── CredentialUnreachable      its issuer did not answer; it may later
"""

from __future__ import annotations

from ostiary.operator_error import OperatorError


class CredentialError(OperatorError):
    """A credential could not be had."""

    def __init__(self, problem: str, *, credential: str, endpoint: str, fix: str) -> None:
        super().__init__(f"credential {credential} for {endpoint}: {problem}; {fix}")
        self.problem = problem
        """What went wrong, as a clause."""
        self.credential = credential
        """The credential's type, as in the configuration."""
        self.endpoint = endpoint
        """The server or audience that the credential is for."""
        self.fix = fix
        """What to do about it, as a clause."""


class CallerUnknown(CredentialError):
    """It acts for the caller of a request, and this one has none."""


class CallerIsNoPerson(CredentialError):
    """It is about a person's account, and the caller is a program that acts for nobody."""


class CallerNotEntitled(CredentialError):
    """Its issuer gives nothing for this caller: their sign-in is over, or was for something else."""


class ReauthenticationRequired(CredentialError):
    """The person has to connect an account, or to connect it again. Nobody else can."""

    def __init__(
        self, problem: str, *, credential: str, endpoint: str, fix: str, idp: str, connect_url: str
    ) -> None:
        super().__init__(problem, credential=credential, endpoint=endpoint, fix=fix)
        self.idp = idp
        """The identity provider where the account is, by its name at the authorization server."""
        self.connect_url = connect_url
        """Where the person connects it, in their own browser. It opens nothing by itself."""


class CredentialMisconfigured(CredentialError):
    """Trying again won't help before somebody changes something."""


class CredentialUnreachable(CredentialError):
    """The credential's issuer did not answer, or not as it should; it may later."""

    def __init__(
        self, problem: str, *, credential: str, endpoint: str, fix: str, retry_after: float | None = None
    ) -> None:
        super().__init__(problem, credential=credential, endpoint=endpoint, fix=fix)
        self.retry_after = retry_after
        """Seconds after which the issuer wants to be asked again; None when it did not say."""
