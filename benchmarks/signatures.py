"""ES256 signatures per second of `cryptography` on this core: nobody issues more tokens from Python.

The one argument is for how many seconds to sign.
"""

from __future__ import annotations

import sys
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

SIGNING_INPUT = bytes(400)
"""As long as the header and claims of a token."""
AT_ONCE = 100

seconds = float(sys.argv[1])
key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
signed, begun = 0, time.perf_counter()
while time.perf_counter() - begun < seconds:
    for _ in range(AT_ONCE):
        key.sign(SIGNING_INPUT, algorithm)
    signed += AT_ONCE
print(signed / (time.perf_counter() - begun))
