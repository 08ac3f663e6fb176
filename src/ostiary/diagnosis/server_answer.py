"""What a server said: one answer as it came, and the metadata that it has."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ostiary.mcp.eras import SERVER_INFO_KEY
from ostiary.mcp.missing_servers import MissingServer, missing_servers
from ostiary.oauth.challenge import Challenge, read_challenges
from ostiary.oauth.client.echoed_secrets import without_echoes
from ostiary.transport.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN_METHOD = -32601
NO_SUCH_PLACE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})


def read_message(text: str | bytes) -> dict[str, Any] | None:
    """The JSON-RPC message that the text is; None when it is none."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and message.get("jsonrpc") == "2.0" else None


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """One answer, with our time when it came."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: str
    """Of a stream, the message that answers us; "" when there was none."""
    received_at: float
    """Seconds since the epoch, by our clock."""
    sent: tuple[str, ...] = field(default=(), repr=False)
    """The secrets that were sent for it."""
    by_sse: bool = False
    """Whether it came over HTTP+SSE, the transport of MCP 2024-11-05."""

    @property
    def status_line(self) -> str:
        """`401 Unauthorized`."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)

    @property
    def is_refusal(self) -> bool:
        """Whether we were not let in."""
        return self.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}

    @property
    def challenge(self) -> Mapping[str, str]:
        """The parameters of the challenge that asks for a token, else of the first; without our secrets."""
        return {name: self._shown(value) for name, value in self._challenge.parameters.items()}

    def header(self, name: str) -> str:
        """What a header says, "" where there is none; without our secrets. name: in lower case."""
        return self._shown(self.headers.get(name, ""))

    @property
    def scheme(self) -> str:
        """The scheme of that challenge, in lower case; "" without one."""
        return self._challenge.scheme

    @property
    def _challenge(self) -> Challenge:
        found = read_challenges(self.headers.get("www-authenticate", ""))
        tokens = (one for one in found if one.scheme in {"bearer", "dpop"})
        return next(tokens, found[0] if found else Challenge("", {}))

    @property
    def is_html(self) -> bool:
        """Whether it is a page for people."""
        return self.headers.get("content-type", "").lower().startswith("text/html")

    @property
    def message(self) -> dict[str, Any] | None:
        """The JSON-RPC message in it."""
        return read_message(self.body)

    @property
    def error_code(self) -> int | None:
        """The code of the JSON-RPC error in it."""
        code = self._error.get("code")
        return code if isinstance(code, int) else None

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of MCP that it says it speaks, when it refuses ours; or the one that it chose."""
        data = self._error.get("data")
        listed = data.get("supported") or data.get("supportedVersions") if isinstance(data, dict) else None
        if isinstance(listed, list):
            return tuple(self._shown(one)[:20] for one in listed[:10])
        return () if self.version is None else (self.version,)

    @property
    def version(self) -> str | None:
        """The version of MCP that it chose; None where it chose none."""
        chosen = self._result.get("protocolVersion")
        return None if chosen is None else self._shown(chosen)[:20]

    @property
    def missing(self) -> tuple[MissingServer, ...]:
        """The servers that a gateway leaves out of this result."""
        return missing_servers(self._result.get("_meta"), shown=self._shown)

    @property
    def is_of_a_gateway(self) -> bool:
        """Whether it is a result of a federation of ours."""
        meta = self._result.get("_meta")
        info = meta.get(SERVER_INFO_KEY) if isinstance(meta, dict) else None
        return isinstance(info, dict) and info.get("name") == "ostiary"

    @property
    def retry_after(self) -> float | None:
        """Seconds after which it wants to be asked again."""
        return retry_after(self.headers.get("retry-after"), now=self.received_at)

    def _shown(self, said: object) -> str:
        return without_echoes(str(said), self.sent)

    @property
    def _error(self) -> Mapping[str, Any]:
        error = (self.message or {}).get("error")
        return error if isinstance(error, dict) else {}

    @property
    def _result(self) -> Mapping[str, Any]:
        result = (self.message or {}).get("result")
        return result if isinstance(result, dict) else {}

    @property
    def said(self) -> str:
        """The server's own words about what is wrong, "" when it has none."""
        asked, in_body = self.challenge, self._error.get("message", "")
        said = asked.get("error_description") or in_body or asked.get("error") or ""
        return self._shown(said)[:300]

    @property
    def works(self) -> bool:
        """Whether it is an MCP server's result."""
        return self.status == HTTPStatus.OK and "result" in (self.message or {})


@dataclass(frozen=True, slots=True)
class ResourceMetadata:
    """What the server says of itself (RFC 9728)."""

    url: str
    resource: str | None = None
    issuers: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
