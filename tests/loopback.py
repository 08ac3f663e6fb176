"""What is on this machine alone."""

from __future__ import annotations

import ssl

from ostiary.transport.limits import Limits

TRUSTING_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak plain http: to read the system's authorities takes longer than many a test."""

HANGS_UP = Limits(finish_timeout=0.1)
"""Of a server that does not wait, when it stops, for streams on which its clients still listen."""
