"""Which server a command talks to, and with which credential.

--server NAME       URL and credential of that server in the configuration
--credential        this one, said outright
--no-credential     none
URL alone           the credential of the server in the configuration that has this URL,
                    else the running demo's, else none
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostiary.cli.demo_context import demo_credential
from ostiary.cli.failure import BadUsage
from ostiary.config import ConfigurationError, OstiaryFile, load
from ostiary.config.load import parse
from ostiary.credentials import Credential, NoCredential
from ostiary.credentials.runtime import Runtime
from ostiary.diagnosis.target import ServerTarget
from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.settings import Settings
from ostiary.suggestions import suggestion
from ostiary.transport.proxies import Proxies, proxies_of
from ostiary.transport.reach import PUBLIC

if TYPE_CHECKING:
    from ostiary.gateway.config import ServerSettings

DEMO = "the running demo"
"""Where a credential comes from that a demo left."""


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """What the command line says about it."""

    url: str | None = None
    server: str | None = None
    config: Path | None = None
    credential: str | None = None
    no_credential: bool = False
    unnamed_issuers: bool = False
    """Whether a credential may lack an issuer that has to be named, for who finds out which it is."""


CONNECT_TIMEOUT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ChosenServer:
    """One server, in a configuration or out of it."""

    credential: Credential
    found: str
    """Where the credential comes from, for people."""
    proxies: Proxies
    """By which requests go."""
    url: CanonicalUrl | None
    """None for a program."""
    name: str = ""
    """Its name in the configuration."""
    configured: ServerSettings | None = None
    """All that the configuration says of it."""

    @property
    def settings(self) -> ServerSettings:
        """As a configuration would have it. A URL that somebody typed may lead wherever they like."""
        from ostiary.gateway.config import ServerSettings  # noqa: PLC0415 - most commands need none

        if self.configured is not None:
            return self.configured.model_copy(update={"credential": self.credential})
        return ServerSettings(
            url=self.url,
            credential=self.credential,
            connect_timeout=CONNECT_TIMEOUT,
            private_network=True,
            insecure_allow_http=True,
        )

    @property
    def transport(self) -> str:
        """How it is spoken to; `auto` where nobody says so."""
        return "auto" if self.configured is None else self.configured.transport

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return self.configured.place if self.configured is not None else str(self.url)

    @property
    def target(self) -> ServerTarget:
        """It, at its URL. Raises BadUsage for a program."""
        if self.url is None:
            raise BadUsage(f"{self.found} is a program, which has no URL and is sent no credential")
        reach = PUBLIC if self.configured is None else self.configured.reach
        return ServerTarget(self.url, self.credential, self.found, reach, self.proxies)

    def runtime(self) -> Runtime:
        """What its credential fetches tokens with."""
        reach = {} if self.url is None else {self.url: self.target.reach}
        return Runtime(proxies=self.proxies, servers=reach)


def choose(wish: TargetOptions) -> ServerTarget:
    """Decide for one that has a URL. Raises as `choose_server`."""
    return choose_server(wish).target


def choose_server(wish: TargetOptions) -> ChosenServer:
    """Decide. Raises BadUsage, or ConfigurationError for a file that is at fault."""
    if wish.credential and wish.no_credential:
        raise BadUsage("--credential and --no-credential exclude each other")
    if wish.server is not None:
        chosen = _configured(wish.server, wish)
    elif wish.url is not None:
        chosen = _by_url(_read(wish.url), wish)
    else:
        raise BadUsage("name the server: its URL, or --server NAME from the configuration")
    if wish.no_credential:
        return replace(chosen, credential=NoCredential(), found="--no-credential")
    if wish.credential:
        if chosen.url is None:
            raise BadUsage(f"{chosen.found} is a program, which is sent no credential: give it env")
        return replace(chosen, credential=_outright(wish.credential, wish), found="--credential")
    return chosen


def _configured(name: str, wish: TargetOptions) -> ChosenServer:
    file = wish.config or Path(OstiaryFile.default_name)
    loaded = load(file, unnamed_issuers=wish.unnamed_issuers)
    servers = loaded.gateway.servers if loaded.gateway else {}
    if name not in servers:
        raise BadUsage(f"{file} has no server {name}; {suggestion(name, servers)}")
    return _server(name, servers[name], file, loaded)


def _server(name: str, server: ServerSettings, file: Path, loaded: OstiaryFile) -> ChosenServer:
    return ChosenServer(
        server.credential,
        f"server {name} of {file}",
        proxies_of(loaded.proxy, os.environ),
        server.url,
        name,
        server,
    )


def _by_url(url: CanonicalUrl, wish: TargetOptions) -> ChosenServer:
    file = wish.config or Path(OstiaryFile.default_name)
    if wish.config is not None or (file.exists() and not (wish.credential or wish.no_credential)):
        loaded = load(file, unnamed_issuers=wish.unnamed_issuers)
        for name, server in (loaded.gateway.servers if loaded.gateway else {}).items():
            if server.url == url:
                return _server(name, server, file, loaded)
    proxies = proxies_of("environment", os.environ)
    if wish.credential or wish.no_credential:
        return ChosenServer(NoCredential(), "", proxies, url)
    if (left := demo_credential(str(url))) is not None:
        return ChosenServer(_credential({"credential": left}), DEMO, proxies, url)
    return ChosenServer(NoCredential(), "none was found for this URL", proxies, url)


def _read(url: str) -> CanonicalUrl:
    try:
        return canonical_url(url)
    except UrlRefused as refused:
        raise BadUsage(f"{url} is no URL that can be called: {refused}") from None


class _Outright(Settings):
    credential: Credential


def _credential(values: dict[str, Any]) -> Credential:
    return _Outright.model_validate(values).credential


def _outright(text: str, wish: TargetOptions) -> Credential:
    """`google_id_token`, or a whole credential as JSON (or YAML's flow style)."""
    written = text if text.lstrip().startswith(("{", "[")) else f"{{type: {text}}}"
    try:
        content = f"{{credential: {written}}}".encode()
        read = parse(
            content,
            _Outright,
            file=Path("--credential"),
            directory=Path.cwd(),
            unnamed_issuers=wish.unnamed_issuers,
        )
    except ConfigurationError as error:
        raise BadUsage("\n".join(f"--credential: {fault.what}" for fault in error.faults)) from None
    return read.settings.credential
