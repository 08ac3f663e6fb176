"""Who we are to Google: the words that both kinds of Google's tokens share."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import StringConstraints, model_validator

from ostiary.credentials.google.caller_identity import GoogleIdentity
from ostiary.settings import ConfiguredPath, Settings

Account = Annotated[str, StringConstraints(pattern=r"^[^@/\s]+@[^@/\s]+$")]


class GoogleSettings(Settings):
    """A Google identity."""

    key_file: ConfiguredPath | None = None
    """A service account's key (JSON), or another credentials file of Google's: of workload identity
    federation, or of gcloud. Default: the application default credentials."""
    impersonate: Account | None = None
    """E-mail address of a service account to act as; needs roles/iam.serviceAccountTokenCreator on it
    (roles/iam.serviceAccountOpenIdTokenCreator is enough for ID tokens)."""
    delegates: list[Account] = []
    """The service accounts in between, when we may not act as that one ourselves: we act as the first, each
    as the next, and the last as `impersonate`."""

    @model_validator(mode="after")
    def _delegates_lead_somewhere(self) -> Self:
        if self.delegates and self.impersonate is None:
            raise ValueError("delegates lead to the account that impersonate names: name it")
        return self

    @property
    def identity(self) -> GoogleIdentity:
        """The identity that these words describe."""
        return GoogleIdentity(self.key_file, self.impersonate, tuple(self.delegates))
