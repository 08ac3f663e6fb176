"""What the pages bring along: a stylesheet and an icon, under names that change with their content."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_HERE = Path(__file__).parent / "templates"
_HEADERS = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}


class Asset:
    """A file of ours, its media type, and the path at which it is served."""

    def __init__(self, name: str, media_type: str) -> None:
        self.content = (_HERE / name).read_bytes()
        self.media_type = media_type
        stem, _, extension = name.partition(".")
        self.path = f"/oauth/{stem}-{sha256(self.content).hexdigest()[:12]}.{extension}"

    async def __call__(self, _: Request) -> Response:
        """Answer with the file; whoever has it never asks again."""
        return Response(self.content, media_type=self.media_type, headers=_HEADERS)


STYLE: Final = Asset("style.css", "text/css")
ICON: Final = Asset("icon.svg", "image/svg+xml")


def asset_routes(below: str = "") -> list[Route]:
    """The routes that a server adds to its own. below: the path that all of it is under."""
    return [Route(below + asset.path, asset.__call__, methods=["GET"]) for asset in (STYLE, ICON)]
