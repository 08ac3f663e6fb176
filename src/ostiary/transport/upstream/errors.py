"""Why an MCP server gave no answer: at which step, and in which words."""

from __future__ import annotations

import os
from enum import StrEnum


class CallStep(StrEnum):
    """How far a request to a server came."""

    START = "start"
    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    HTTP = "http"
    TIMEOUT = "timeout"
    SIZE = "size"
    ANSWER = "answer"


class CallerBusy(Exception):
    """So much of one caller is under way at a server that no more is taken. `str()` may be shown to them."""

    def __init__(self, server: str, why: str = "too many of your calls are under way there") -> None:
        super().__init__(f"server {server}: {why}; try again later")


class UpstreamFailed(Exception):
    """A server gave no usable answer. `str()` names server and reason, and may be shown to callers."""

    def __init__(self, server: str, step: CallStep, reason: str) -> None:
        super().__init__(f"server {server}: {reason}")
        self.server = server
        self.step = step
        self.reason = reason


def in_the_systems_words(error: OSError) -> str:
    """Why there is no connection; event loops write words of their own, which differ."""
    return os.strerror(error.errno).lower() if error.errno else "no connection"
