"""Exactly so many tool calls over kept connections: what is counted, and not timed, needs no more."""

from __future__ import annotations

import json
import re
import socket
from urllib.parse import urlsplit


class Calls:
    """A client that calls one tool. All its connections ask before one of them reads."""

    def __init__(self, url: str, tool: str, token: str, *, connections: int) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._request = _request(parts.netloc, parts.path, tool, token)
        self._sockets = [
            socket.create_connection((parts.hostname, parts.port), timeout=60) for _ in range(connections)
        ]

    def send(self, calls: int) -> None:
        """Send so many, a multiple of the connections, and read the answers. Raises RuntimeError."""
        for _ in range(calls // len(self._sockets)):
            for sock in self._sockets:
                sock.sendall(self._request)
            for sock in self._sockets:
                _read_answer(sock)

    def close(self) -> None:
        """Hang up."""
        for sock in self._sockets:
            sock.close()


def _request(host: str, path: str, tool: str, token: str) -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    }
    params = {"name": tool, "arguments": {"species": "penguin"}, "_meta": meta}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    body = json.dumps(call, separators=(",", ":")).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"host: {host}",
        "content-type: application/json",
        "accept: application/json, text/event-stream",
        f"authorization: Bearer {token}",
        "mcp-protocol-version: 2026-07-28",
        "mcp-method: tools/call",
        f"mcp-name: {tool}",
        f"content-length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _read_answer(sock: socket.socket) -> None:
    heard = b""
    while (head_end := heard.find(b"\r\n\r\n")) < 0:
        heard += _receive(sock)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", heard[:head_end])
    assert length is not None
    while len(heard) < head_end + 4 + int(length[1]):
        heard += _receive(sock)
    if not heard.startswith(b"HTTP/1.1 200") or b'"result"' not in heard:
        raise RuntimeError(f"a call was refused: {heard!r}")


def _receive(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise RuntimeError("the server hung up")
    return data
