"""Programs that a gateway runs as servers: what they do with a message, in a few lines of Python."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

PRELUDE = """
import json, os, sys, time
MODERN = "2026-07-28"
def say(**members):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **members}) + "\\n")
    sys.stdout.flush()
def answer(message, result):
    say(id=message["id"], result={"resultType": "complete", **result})
def text(message, said):
    answer(message, {"content": [{"type": "text", "text": said}]})
def discovered(message):
    listed = {"ttlMs": 0, "cacheScope": "private"}
    answer(message, {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, **listed})
def progress(message, number):
    token = message["params"]["_meta"]["progressToken"]
    say(method="notifications/progress", params={"progressToken": token, "progress": number})
def messages():
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("method") == "server/discover":
            discovered(message)
        else:
            yield message
"""


def program(folder: Path, code: str, name: str = "server.py") -> list[str]:
    """The command of a program that runs this code after the prelude."""
    file = folder / name
    file.write_text(PRELUDE + textwrap.dedent(code))
    return [sys.executable, str(file)]
