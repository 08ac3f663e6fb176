"""Who answers, where an answer is the gateway's own."""

from __future__ import annotations

from ostiary import __version__

SERVER_INFO = {"name": "ostiary", "version": __version__}
