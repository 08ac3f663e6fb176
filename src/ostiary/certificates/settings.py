"""Configuration: where our own certificate comes from."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from ostiary.identity.spiffe import SpiffeId
from ostiary.identity.trust_domains import Owner
from ostiary.settings import ConfiguredPath, Settings, placed

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")

LONGEST_PATH = 107
"""Of a socket: Linux has no room for a longer one."""
_SOCKET = re.compile(rf"unix:///(?=[^/])(?!.*[?#%])[!-~]{{1,{LONGEST_PATH - 1}}}")


@dataclass(frozen=True, slots=True)
class CaDirectory:
    """The folder of an internal authority."""

    path: Path

    @property
    def certificate(self) -> Path:
        """PEM file of its certificate; of others that are believed beside it, below."""
        return self.path / "ca.crt"

    @property
    def private_key(self) -> Path:
        """PEM file of its key."""
        return self.path / "ca.key"

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class AgentSocket:
    """Where an agent of this machine serves the Workload API. SPIFFE Workload Endpoint 4."""

    path: Path

    @classmethod
    def parse(cls, address: str) -> Self:
        """Raises ValueError."""
        if _SOCKET.fullmatch(address) is None:
            raise ValueError(
                "the Workload API is at unix:/// and a path, such as unix:///run/spire/agent.sock, "
                f"of at most {LONGEST_PATH} characters"
            )
        return cls(Path(address.removeprefix("unix://")))

    @property
    def is_there(self) -> bool:
        """Whether somebody made it, in a folder that we may look into."""
        with contextlib.suppress(OSError):
            return self.path.is_socket()
        return False

    def __str__(self) -> str:
        return f"unix://{self.path}"


def host_or_address(name: str) -> str:
    """A name that a server's certificate may be for. Raises ValueError."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        if _HOST.fullmatch(name) is None or name.replace(".", "").isdigit():
            raise ValueError(
                "a certificate is for host names in lower case and for IP addresses, without a port"
            ) from None
    return name


def _directory(value: object, info: ValidationInfo) -> CaDirectory:
    if isinstance(value, CaDirectory):
        return value
    if not isinstance(value, str | Path):
        raise ValueError("a folder is named by a string")  # noqa: TRY004 - pydantic collects ValueErrors
    return CaDirectory(placed(value, info))


def _workload(value: object) -> SpiffeId:
    named = value if isinstance(value, SpiffeId) else SpiffeId.parse(str(value))
    if not named.path:
        raise ValueError("this SPIFFE ID is a trust domain's; name a workload, with a path")
    return named


def _agent_socket(value: object) -> AgentSocket:
    return value if isinstance(value, AgentSocket) else AgentSocket.parse(str(value))


HostOrAddress = Annotated[str, AfterValidator(host_or_address)]
WorkloadId = Annotated[
    SpiffeId,
    BeforeValidator(_workload),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": "spiffe://ostiary.local/ns/default/sa/gateway"}),
]


class KeyPairFiles(Settings):
    """A certificate and its key from files, read again when they change."""

    source: Literal["files"] = "files"
    """Where it comes from."""
    certificate: ConfiguredPath
    """PEM file of the certificate, and what leads to its authority."""
    private_key: ConfiguredPath
    """PEM file of its key."""


class FileCertificates(KeyPairFiles):
    """A certificate from files, read again when they change."""

    trust_bundle: ConfiguredPath
    """PEM file of the authorities that are believed on the other side."""


class InternalCaCertificates(Settings):
    """A certificate that the process makes itself. Whoever reads the folder can be any workload."""

    source: Literal["internal_ca"]
    """Where it comes from."""
    directory: Annotated[
        CaDirectory,
        BeforeValidator(_directory),
        PlainSerializer(str),
        WithJsonSchema({"type": "string", "description": "A folder, relative to this configuration"}),
    ]
    """The folder of the authority, as `ostiary pki init` makes it. Its files are read again when they change;
    certificates live for 24 hours, and are renewed after 16."""
    owner: Owner | None = None
    """Which workload this is: namespace/name. Default: default/gateway for a gateway, default/authserver for
    an authorization server."""
    spiffe_id: WorkloadId | None = None
    """Its whole SPIFFE ID, instead of owner, where the trust domain's have another shape."""
    names: list[HostOrAddress] = []
    """Host names and addresses that it is for, as a server, beside those at which it listens."""

    @model_validator(mode="after")
    def _is_one_workload(self) -> Self:
        if self.owner is not None and self.spiffe_id is not None:
            raise ValueError("owner and spiffe_id both say which workload this is: leave one out")
        return self


class SpiffeCertificates(Settings):
    """A certificate from the SPIFFE Workload API, such as that of SPIRE's agent (`ostiary[spiffe]`)."""

    source: Literal["spiffe"]
    """Where it comes from."""
    socket: (
        Annotated[
            AgentSocket,
            BeforeValidator(_agent_socket),
            PlainSerializer(str),
            WithJsonSchema({"type": "string", "description": "unix:///run/spire/agent.sock"}),
        ]
        | None
    ) = None
    """The address of the Workload API: `unix:///` and a path. Default: as SPIFFE_ENDPOINT_SOCKET says."""
    spiffe_id: WorkloadId | None = None
    """Which of several certificates. Default: the first that is given."""


def _from_files(value: Any) -> Any:
    return {"source": "files", **value} if isinstance(value, Mapping) and "source" not in value else value


CertificateSettings = Annotated[
    Annotated[FileCertificates | InternalCaCertificates | SpiffeCertificates, Field(discriminator="source")],
    BeforeValidator(_from_files),
]
"""Where our certificate comes from; files, unless a source is written."""
TlsSettings = Annotated[
    Annotated[KeyPairFiles | InternalCaCertificates | SpiffeCertificates, Field(discriminator="source")],
    BeforeValidator(_from_files),
]
"""Where the certificate of a listener comes from that asks nobody for theirs."""
