"""Exit 0 while what runs in this container can serve, else 1 and why: asks `/readyz`, as orchestrators do."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException


def main() -> int:
    """The exit code."""
    connection = HTTPConnection(os.environ.get("OSTIARY_TELEMETRY_LISTEN") or "127.0.0.1:9464", timeout=4)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        sys.stdout.write(answer.read(4096).decode("utf-8", "replace") + "\n")
    except (OSError, HTTPException) as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
