"""An issuer of tokens: ES256, with its key set served on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer

from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "http://127.0.0.1:9"


@contextlib.contextmanager
def issuer() -> Iterator[tuple[str, str]]:
    """Gives the key set's URL and a token that is good for an hour."""
    with issuer_for(["bench"]) as (key_set, tokens):
        yield key_set, tokens[0]


@contextlib.contextmanager
def issuer_for(subjects: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Gives the key set's URL and a token for each of these, all good for an hour."""
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
    claims = {"iss": ISSUER, "aud": "benchmark", "iat": now, "exp": now + 3600, "scope": "mcp"}
    header = {"alg": "ES256", "kid": "bench", "typ": "at+jwt"}
    tokens = [jwt.encode(header, claims | {"sub": subject}, key) for subject in subjects]
    try:
        yield f"http://127.0.0.1:{server.server_port}/keys", tokens
    finally:
        server.shutdown()
        server.server_close()
