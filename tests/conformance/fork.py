"""What the suite starts: gives its streams to a fork of the client that waits, and ends as the fork does.

python -I -S fork.py SOCKET URL
"""

from __future__ import annotations

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as waiting:
    waiting.connect(sys.argv[1])
    told = json.dumps([sys.argv[2:], dict(os.environ)]).encode()
    socket.send_fds(waiting, [told], [0, 1, 2])
    waiting.shutdown(socket.SHUT_WR)
    sys.exit(next(iter(waiting.recv(1)), 1))
