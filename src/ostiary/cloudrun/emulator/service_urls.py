"""What a Cloud Run service is called: its two URLs, each of which is an audience that opens it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from urllib.parse import urlsplit

REGION_CODES = {
    "asia-east1": "de",
    "asia-northeast1": "an",
    "asia-southeast1": "as",
    "europe-north1": "lz",
    "europe-west1": "ew",
    "europe-west2": "nw",
    "europe-west3": "ey",
    "europe-west4": "ez",
    "us-central1": "uc",
    "us-east1": "ue",
    "us-east4": "uk",
    "us-west1": "uw",
}


def deterministic_url(service: str, *, project_number: int, region: str) -> str:
    """The URL that can be known before the service is deployed."""
    return f"https://{service}-{project_number}.{region}.run.app"


def hash_url(service: str, *, project_number: int, region: str) -> str:
    """The older URL, with ten characters that stand for the project and the region."""
    digest = hashlib.sha256(f"{project_number}/{region}".encode()).digest()
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    project = "".join(letters[byte % 32] for byte in digest[:10])
    return f"https://{service}-{project}-{REGION_CODES.get(region, region)}.a.run.app"


def authorities(urls: Iterable[str], port: int) -> frozenset[str]:
    """What a client sends as `Host` for these URLs when their names lead to this port. Others are none."""
    found = (urlsplit(url) for url in urls if url.startswith(("http://", "https://")))
    return frozenset(
        name.lower() for url in found if url.hostname for name in (url.netloc, f"{url.hostname}:{port}")
    )
