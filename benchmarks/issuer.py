"""An issuer of one token: ES256, with its key set served on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "http://127.0.0.1:9"


@contextlib.contextmanager
def issuer() -> Iterator[tuple[str, str]]:
    """Gives the key set's URL and a token that is good for an hour."""
    key = ECKey.generate_key("P-256", {"kid": "bench", "alg": "ES256", "use": "sig"})
    key_set = json.dumps({"keys": [key.as_dict(private=False)]}).encode()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(key_set)))
            self.end_headers()
            self.wfile.write(key_set)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": "bench",
        "aud": "benchmark",
        "iat": now,
        "exp": now + 3600,
        "scope": "mcp",
    }
    token = jwt.encode({"alg": "ES256", "kid": "bench", "typ": "at+jwt"}, claims, key)
    try:
        yield f"http://127.0.0.1:{server.server_port}/keys", token
    finally:
        server.shutdown()
        server.server_close()
