"""FastMCP's proxy in front of one server. Usage: fastmcp_proxy.py PORT URL, or PORT COMMAND WORD..."""

from __future__ import annotations

import sys

from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy

port, target, *words = sys.argv[1:]
proxy = create_proxy(StdioTransport(target, words) if words else target)
proxy.run(transport="http", host="127.0.0.1", port=int(port), show_banner=False)
