"""The whole of ostiary.yaml, composed of the models that the parts own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ostiary.config.cross_checks import (
    refuse_shared_address,
    refuse_tokens_that_nobody_gets,
    with_upstream_token_urls,
)
from ostiary.credentials.credential import upstream_tokens
from ostiary.settings import OnUse, Place, Proxy, Settings, Switch
from ostiary.telemetry.config import TelemetrySettings

if TYPE_CHECKING:
    from ostiary.authserver.config import AuthServerSettings
    from ostiary.gateway.config import GatewaySettings
    from ostiary.storage.config import StorageSettings
else:
    AuthServerSettings = Annotated[Any, OnUse("ostiary.authserver.config", "AuthServerSettings")]
    GatewaySettings = Annotated[Any, OnUse("ostiary.gateway.config", "GatewaySettings")]
    StorageSettings = Annotated[Any, OnUse("ostiary.storage.config", "StorageSettings")]


class OstiaryFile(Settings):
    """What one `ostiary up` runs."""

    default_name: ClassVar[str] = "ostiary.yaml"
    variables: ClassVar[Mapping[str, Place]] = {
        "OSTIARY_GATEWAY_LISTEN": ("gateway", "listen"),
        "OSTIARY_GATEWAY_URL": ("gateway", "url"),
        "OSTIARY_AUTHSERVER_LISTEN": ("authserver", "listen"),
        "OSTIARY_AUTHSERVER_ISSUER": ("authserver", "issuer"),
        "OSTIARY_STORAGE_URL": ("storage", "url"),
        "OSTIARY_TELEMETRY_LISTEN": ("telemetry", "listen"),
    }

    gateway: GatewaySettings | None = None
    """The broker: one guarded endpoint in front of many MCP servers."""
    authserver: AuthServerSettings | None = None
    """The authorization server: signs people in, and gives clients tokens for exactly one resource."""
    storage: Annotated[StorageSettings | None, Field(validate_default=True)] = None
    """What must survive, and where replicas find each other's tokens, sealed. Default: the file ostiary.db
    for an authorization server; for a gateway alone nothing, so that each replica fetches its own tokens."""
    proxy: Proxy = "environment"
    """By which proxy requests leave: an http URL; `environment`, for what HTTPS_PROXY, http_proxy, ALL_PROXY
    and NO_PROXY say, as curl reads them; or `none`. NO_PROXY counts for a URL, too, and this machine is never
    reached by one."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """What operators see: health, metrics, and the audit."""
    insecure_inline_secrets: Switch = False
    """Secrets may stand in this file itself. For tests only: files are copied, committed and shown."""

    @field_validator("authserver")
    @classmethod
    def _agrees_with_the_gateway(
        cls, value: AuthServerSettings | None, info: ValidationInfo
    ) -> AuthServerSettings | None:
        gateway = info.data.get("gateway")
        if value is not None:
            refuse_shared_address(gateway, value)
        if value is not None and gateway is not None:
            refuse_tokens_that_nobody_gets(gateway, value)
        return value

    @field_validator("storage", mode="before")
    @classmethod
    def _an_authserver_keeps_things(cls, value: Any, info: ValidationInfo) -> Any:
        """Made here, where the folder of the file is known."""
        return {} if value is None and info.data.get("authserver") is not None else value

    @field_validator("telemetry")
    @classmethod
    def _has_a_port_of_its_own(cls, value: TelemetrySettings, info: ValidationInfo) -> TelemetrySettings:
        refuse_shared_address(info.data.get("gateway"), info.data.get("authserver"), value)
        return value

    @model_validator(mode="after")
    def _upstream_tokens_are_asked_for_somewhere(self) -> Self:
        if self.gateway is None or not any(
            upstream_tokens(server.credential) for server in self.gateway.servers.values()
        ):
            return self
        return self.model_copy(update={"gateway": with_upstream_token_urls(self.gateway, self.authserver)})
