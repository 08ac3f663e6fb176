"""The whole of ostiary.yaml, composed of the models that the parts own."""

from __future__ import annotations

from typing import ClassVar

from ostiary.gateway.config import GatewaySettings
from ostiary.settings import Settings
from ostiary.storage.config import StorageSettings


class OstiaryFile(Settings):
    """What one `ostiary up` runs."""

    default_name: ClassVar[str] = "ostiary.yaml"

    gateway: GatewaySettings | None = None
    """The broker: one guarded endpoint in front of many MCP servers."""
    storage: StorageSettings | None = None
    """Where replicas find each other's tokens, sealed. Default: each fetches its own."""
    insecure_inline_secrets: bool = False
    """Secrets may stand in this file itself. For tests only: files are copied, committed and shown."""
