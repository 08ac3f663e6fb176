"""For which server, and by which credential, a person signs in or out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.cli.failure import BadUsage
from ostiary.cli.target import DEMO, TargetOptions, choose
from ostiary.credentials import Chain, NoCredential, OAuthUser
from ostiary.diagnosis.target import ServerTarget

if TYPE_CHECKING:
    from pathlib import Path


def choose_user(
    url: str | None, server: str | None, config: Path | None, credential: str | None
) -> tuple[ServerTarget, OAuthUser]:
    """The server, and its oauth_user.

    It is one with all defaults for a server that no credential is known for, and for the demo, whose own
    credential is the visitor's.
    """
    target = choose(TargetOptions(url, server, config, credential))
    chosen = target.credential
    for one in chosen.root if isinstance(chosen, Chain) else (chosen,):
        if isinstance(one, OAuthUser):
            return target, one
    unknown = isinstance(chosen, NoCredential) and server is None and credential is None
    if unknown or target.found == DEMO:
        return target, OAuthUser()
    raise BadUsage(
        f"nobody signs in at {target.url}: its credential is {chosen.type} ({target.found}); "
        "--credential oauth_user takes a person's own instead"
    )
