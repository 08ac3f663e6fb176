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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostiary.cli.demo_context import demo_credential
from ostiary.cli.failure import BadUsage
from ostiary.config import ConfigurationError, OstiaryFile, load
from ostiary.config.load import parse
from ostiary.config.suggestions import suggestion
from ostiary.credentials import Credential, NoCredential
from ostiary.diagnosis.target import ServerTarget
from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.settings import Settings
from ostiary.transport.proxies import proxies_of

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


def choose(wish: TargetOptions) -> ServerTarget:
    """Decide. Raises BadUsage, or ConfigurationError for a file that is at fault."""
    if wish.credential and wish.no_credential:
        raise BadUsage("--credential and --no-credential exclude each other")
    if wish.server is not None:
        target = _configured(wish.server, wish)
    elif wish.url is not None:
        target = _by_url(_read(wish.url), wish)
    else:
        raise BadUsage("name the server: its URL, or --server NAME from the configuration")
    if wish.no_credential:
        return replace(target, credential=NoCredential(), found="--no-credential")
    if wish.credential:
        return replace(target, credential=_outright(wish.credential, wish), found="--credential")
    return target


def _configured(name: str, wish: TargetOptions) -> ServerTarget:
    file = wish.config or Path(OstiaryFile.default_name)
    loaded = load(file, unnamed_issuers=wish.unnamed_issuers)
    servers = loaded.gateway.servers if loaded.gateway else {}
    if name not in servers:
        raise BadUsage(f"{file} has no server {name}; {suggestion(name, servers)}")
    return _server(name, servers[name], file, loaded)


def _server(name: str, server: ServerSettings, file: Path, loaded: OstiaryFile) -> ServerTarget:
    if server.url is None:
        raise BadUsage(
            f"server {name} of {file} is a program, which the gateway runs: "
            f"call it there, at {loaded.gateway.public_url if loaded.gateway else ''}/servers/{name}/mcp"
        )
    return ServerTarget(
        server.url,
        server.credential,
        f"server {name} of {file}",
        server.reach,
        proxies_of(loaded.proxy, os.environ),
    )


def _by_url(url: CanonicalUrl, wish: TargetOptions) -> ServerTarget:
    file = wish.config or Path(OstiaryFile.default_name)
    if wish.config is not None or (file.exists() and not (wish.credential or wish.no_credential)):
        loaded = load(file, unnamed_issuers=wish.unnamed_issuers)
        for name, server in (loaded.gateway.servers if loaded.gateway else {}).items():
            if server.url == url:
                return _server(name, server, file, loaded)
    if wish.credential or wish.no_credential:
        return ServerTarget(url, NoCredential(), "")
    if (left := demo_credential(str(url))) is not None:
        return ServerTarget(url, _credential({"credential": left}), DEMO)
    return ServerTarget(url, NoCredential(), "none was found for this URL")


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
