"""The `telemetry:` part of ostiary.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema, model_validator

from ostiary.settings import Listen, ListenAddress, SecretField, Settings, Switch, placed


@dataclass(frozen=True, slots=True)
class AuditFile:
    """The audit's file, which need not be there yet."""

    path: Path


def _read_audit_file(value: object, info: ValidationInfo) -> AuditFile:
    match value:
        case AuditFile():
            return value
        case str() | Path() if str(value):
            return AuditFile(placed(value, info))
    raise ValueError("a file is named by a string")


AuditFileField = Annotated[
    AuditFile,
    BeforeValidator(_read_audit_file),
    PlainSerializer(lambda value: str(value.path)),
    WithJsonSchema({"type": "string", "description": "A file, relative to this configuration"}),
]


@dataclass(frozen=True, slots=True)
class AccessLogTarget:
    """Where the access log goes. file: one that need not be there yet; None for standard output."""

    path: Path | None


def _read_access_log(value: object, info: ValidationInfo) -> AccessLogTarget | None:
    match value:
        case AccessLogTarget() | None:
            return value
        case bool():
            return AccessLogTarget(None) if value else None
        case str() | Path() if str(value):
            return AccessLogTarget(placed(value, info))
    raise ValueError("write true for standard output, or the name of a file")


AccessLogField = Annotated[
    AccessLogTarget | None,
    BeforeValidator(_read_access_log),
    PlainSerializer(lambda value: value if value is None else str(value.path or "true")),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string"}]}),
]


LISTEN = "telemetry.listen"
"""The setting that says where there is a listener."""


class TelemetrySettings(Settings):
    """What operators see: health, metrics, and the audit."""

    listen: ListenAddress | None = None
    """Where `/healthz`, `/readyz`, `/metrics` and `/status` are answered, such as 127.0.0.1:9464. Default:
    nowhere."""
    status_token: SecretField | None = None
    """What has to be shown at `/status`, as a bearer token, or as the password of any name. Without it,
    `/status` is open on this machine, and closed to others."""
    insecure_public: Switch = False
    """Answer beyond this machine: whoever reaches the port reads how much is going on, and what fails."""
    audit: AuditFileField | None = None
    """Where audit events go, a line of JSON each; the file is made when it is missing. While it cannot be
    written, the gateway makes no call. Default: calls are not audited, other events are in the log."""
    audit_arguments: Switch = False
    """Whether the audit has what calls are called with, which may be private: as far as it is short."""
    access_log: AccessLogField = None
    """A line of JSON for each request to gateway and authorization server: who, what, how it ended, how long
    it took; without what stands behind a question mark, and without tokens. A file, which is begun anew when
    it was moved away, or true for standard output. Default: none."""

    @property
    def listens(self) -> dict[str, Listen]:
        """Where it listens, by the name of its listener."""
        return {} if self.listen is None else {LISTEN: self.listen}

    @model_validator(mode="after")
    def _not_for_everybody(self) -> Self:
        if self.listen is not None and not self.listen.is_loopback and not self.insecure_public:
            raise ValueError(
                f"{self.listen} can be reached from other machines: listen on 127.0.0.1, "
                "or say insecure_public: true"
            )
        return self
