"""Protocol versions, and the keys of `_meta` that modern requests carry.

Modern (2026-07-28) is stateless: every request says its version and capabilities. Legacy (2025-11-25
and before) shakes hands and keeps a session.
"""

from __future__ import annotations

MODERN = "2026-07-28"
SUPPORTED_VERSIONS = (MODERN,)
LEGACY_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Oldest first."""

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
CLIENT_INFO_KEY = "io.modelcontextprotocol/clientInfo"
LOG_LEVEL_KEY = "io.modelcontextprotocol/logLevel"
PROGRESS_KEY = "progressToken"
SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo"

TASKS_EXTENSION = "io.modelcontextprotocol/tasks"
TASK_METHODS = ("tasks/get", "tasks/update", "tasks/cancel")
"""Methods that name a task (SEP-2663)."""

UNAVAILABLE_KEY = "dev.ostiary/unavailable"
"""Servers that a list had to leave out: `[{server, step, since, next_try}]`."""
HIDDEN_KEY = "dev.ostiary/hidden"
"""Names that a list left out, because they reach another server, or came twice: `[{server, name}]`."""
