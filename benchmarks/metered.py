"""Runs a command to its end, and tells what it used: processor seconds, and KiB of memory at most.

A process of its own, and a small one: Linux counts the memory of who starts a process as that process's.
"""

from __future__ import annotations

import json
import os
import sys

process_id = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(process_id, 0)
told = {"status": status, "processor": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss}
print(json.dumps(told), file=sys.stderr)
