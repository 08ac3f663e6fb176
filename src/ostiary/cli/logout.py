"""`ostiary logout`: forget a sign-in, and have the issuer end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ostiary.cli import options
from ostiary.cli.failure import Failure

if TYPE_CHECKING:
    from ostiary.credentials import OAuthUser
    from ostiary.credentials.oauth_user.sign_out import SignedOut
    from ostiary.diagnosis.target import ServerTarget


def logout(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="The server (not with --server).")
    ] = None,
    config: options.Config = None,
    server: options.Server = None,
    credential: options.CredentialText = None,
) -> None:
    """Sign out of a server: its tokens are revoked where the issuer does that, and forgotten."""
    from ostiary.cli.console import print_text  # noqa: PLC0415
    from ostiary.cli.sign_in_target import choose_user  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415

    target, user = choose_user(url, server, config, credential)
    at = target.url
    answer = run(_sign_out(user, target))
    if answer is None:
        raise KeyboardInterrupt
    (ended,) = answer
    if ended is None:
        raise Failure(f"nobody is signed in at {at}")
    print_text(f"Signed out of {at}.")
    if ended.not_revoked is None:
        print_text(f"{ended.issuer} has revoked the tokens.")
    else:
        print_text(f"{ended.issuer} may take the tokens until they end: {ended.not_revoked}.")


async def _sign_out(user: OAuthUser, target: ServerTarget) -> tuple[SignedOut | None]:
    """In a tuple: `run` gives None when it was interrupted."""
    from ostiary.credentials.oauth_user.sign_out import sign_out  # noqa: PLC0415

    async with target.runtime() as runtime:
        return (await sign_out(user, target.url, runtime=runtime),)
