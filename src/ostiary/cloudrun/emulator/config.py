"""emulator.yaml: what the local Google runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from ostiary.cloudrun.emulator.invokers import read_member
from ostiary.settings import ConfiguredPath, Duration, Listen, ListenAddress, Settings, Url

ProjectId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
AccountName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?(@[a-z0-9.-]+)?$")]
"""The short name of a service account of the project, or a whole e-mail address."""
ServiceName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,47}[a-z0-9])?$")]
Invoker = Annotated[str, AfterValidator(read_member)]


def _on_this_machine(listen: Listen) -> Listen:
    if not listen.is_loopback:
        raise ValueError(
            "the emulator gives tokens to whoever asks, so it listens on loopback addresses only"
        )
    return listen


LoopbackAddress = Annotated[ListenAddress, AfterValidator(_on_this_machine)]


class MetadataSettings(Settings):
    """What the metadata server says."""

    service_account: AccountName
    """Whom programs that ask it run as."""


class ServiceAccountSettings(Settings):
    """A service account of the project."""

    key_file: ConfiguredPath | None = None
    """Where a key for it is written at start, readable by its owner alone. It is made for this run."""
    token_creators: tuple[AccountName, ...] = ()
    """The accounts that may act as this one (`roles/iam.serviceAccountTokenCreator`)."""


class ServiceSettings(Settings):
    """A Cloud Run service: a command that listens on $PORT, or something that listens already."""

    listen: LoopbackAddress
    """Where its front end listens."""
    command: tuple[str, ...] = ()
    """What runs in its container. Of our environment it gets PATH, HOME, TMPDIR, TZ, PYTHONPATH and the
    language; give it more with `[env, NAME=value, ...]` before the program."""
    url: Url | None = None
    """What is behind its front end, when it is not a command of ours: an origin, without a path."""
    invokers: tuple[Invoker, ...] = ()
    """Who has `roles/run.invoker`; `allUsers` makes the service public."""
    custom_audiences: tuple[str, ...] = ()
    """Audiences that open it besides its own URLs."""
    startup_timeout: Duration = timedelta(seconds=30)
    """How long its command may take until it listens."""

    timeout: Duration = timedelta(minutes=5)
    """How long its container may take for one answer, from its first byte to its last."""

    @model_validator(mode="after")
    def _has_one_thing_behind_it(self) -> Self:
        if bool(self.command) == (self.url is not None):
            raise ValueError("a service has either a command or a url")
        if self.url is not None and (self.url.path or self.url.query is not None):
            raise ValueError(
                "the url of a service is an origin, such as http://127.0.0.1:9999: leave out its path"
            )
        return self


class EmulatorSettings(Settings):
    """The local Google: one project in one region."""

    listen: LoopbackAddress = Listen("127.0.0.1", 8085)
    """Where every Google API answers, the metadata server among them."""
    project: ProjectId = "demo-project"
    """The project's ID, as it stands in e-mail addresses of its service accounts."""
    project_number: int = Field(default=123456789012, gt=0)
    """The project's number, as it stands in the URLs of its services."""
    region: str = Field(default="europe-west1", pattern=r"^[a-z]+-[a-z]+[0-9]{1,2}$")
    """Where its services run."""
    metadata: MetadataSettings | None = None
    """The metadata server; without it, there is none, as on a machine that is not Google's."""
    service_accounts: dict[AccountName, ServiceAccountSettings] = Field(default_factory=dict)
    """Its service accounts, by short name or whole e-mail address."""
    services: dict[ServiceName, ServiceSettings] = Field(default_factory=dict)
    """Its Cloud Run services."""

    @model_validator(mode="after")
    def _names_only_accounts_that_exist(self) -> Self:
        known = {self.email(name) for name in self.service_accounts}
        named = [] if self.metadata is None else [self.metadata.service_account]
        named += [creator for account in self.service_accounts.values() for creator in account.token_creators]
        for name in named:
            if self.email(name) not in known:
                raise ValueError(f"there is no service account {name}: name it under service_accounts")
        return self

    def email(self, account: str) -> str:
        """The e-mail address of an account that is named shortly, or already by its address."""
        return account if "@" in account else f"{account}@{self.project}.iam.gserviceaccount.com"
