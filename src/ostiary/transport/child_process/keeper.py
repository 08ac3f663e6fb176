"""Ends the process groups that are left when whoever started this program is gone, however it went.

A program of its own, run without the package: it reads `+GROUP` and `-GROUP`, a line each, from its standard
input. When that ends, it ends all groups that were added and not taken away.
"""

import os
import signal
import sys
import time

GRACE_SECONDS = 1.0


def _end(groups: set[int], number: signal.Signals) -> None:
    for group in list(groups):
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            groups.discard(group)


def main() -> None:
    """Read until the end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever ends our owner by them lets it go in order
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    _end(groups, signal.SIGTERM)
    ends = time.monotonic() + GRACE_SECONDS
    while groups and time.monotonic() < ends:
        time.sleep(0.02)
        _end(groups, signal.SIGCONT)  # which a group that is there does not notice, unless it was stopped
    _end(groups, signal.SIGKILL)


if __name__ == "__main__":
    main()
