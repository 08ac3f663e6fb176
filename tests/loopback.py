"""What is on this machine alone."""

from __future__ import annotations

import ssl

TRUSTING_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak plain http: to read the system's authorities takes longer than many a test."""
