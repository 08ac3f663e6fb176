"""Sign a request as AWS wants it: Signature Version 4. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.credentials.headers.headers import Headers
    from ostiary.oauth.canonical_url import CanonicalUrl

ALGORITHM = "AWS4-HMAC-SHA256"
UNRESERVED = "-_.~"


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """What signs. It never shows in a `repr`."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def signed_headers(
    method: str, url: CanonicalUrl, body: bytes, *, keys: AwsKeys, region: str, service: str, now: float
) -> Headers:
    """The headers to add: authorization, x-amz-date, and x-amz-security-token for keys of a session.

    The signature covers method, host, path, query and body, and is good for some minutes.
    """
    moment = datetime.fromtimestamp(int(now), UTC).strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": moment}
    if keys.session_token is not None:
        added["x-amz-security-token"] = keys.session_token
    covered = {"host": url.authority, **added}
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    request = sha256(canonical_request(method, url, body, covered).encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{moment}\n{scope}\n{request}"
    signature = _hmac(_signing_key(keys, scope), to_sign).hex()
    authorization = (
        f"{ALGORITHM} Credential={keys.access_key_id}/{scope}, "
        f"SignedHeaders={';'.join(sorted(covered))}, Signature={signature}"
    )
    return (("authorization", authorization), *added.items())


def canonical_request(method: str, url: CanonicalUrl, body: bytes, headers: Mapping[str, str]) -> str:
    """What both sides hash: the request in the one form that both can write."""
    lines = [f"{name}:{' '.join(value.split())}\n" for name, value in sorted(headers.items())]
    return "\n".join(
        [
            method,
            quote(url.path or "/", safe=UNRESERVED + "/"),  # encoded once more than it is sent
            _canonical_query(url.query or ""),
            "".join(lines),
            ";".join(sorted(headers)),
            sha256(body).hexdigest(),
        ]
    )


def _canonical_query(query: str) -> str:
    pairs = (part.partition("=")[::2] for part in query.split("&") if part)
    written = sorted((_encoded(name), _encoded(value)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in written)


def _encoded(text: str) -> str:
    return quote(unquote(text), safe=UNRESERVED)


def _signing_key(keys: AwsKeys, scope: str) -> bytes:
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
