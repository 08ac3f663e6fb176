"""What a session's end needs of upstream grants, until `upstream_grants/disconnect` is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.authserver.parts import Parts


async def release(parts: Parts, grant_ids: Sequence[str]) -> None:
    """Let go of grants that nothing uses any more."""
