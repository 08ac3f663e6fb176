"""`ostiary login`: sign a person in at a server, and keep what the server's issuer gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options

if TYPE_CHECKING:
    from ostiary.credentials import OAuthUser
    from ostiary.credentials.browser import Browser
    from ostiary.credentials.vault.records import Grant
    from ostiary.diagnosis.target import ServerTarget
    from ostiary.oauth.canonical_url import CanonicalUrl


def login(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="The server (not with --server).")
    ] = None,
    config: options.Config = None,
    server: options.Server = None,
    credential: options.CredentialText = None,
    scope: Annotated[list[str] | None, typer.Option(help="Ask for this scope, too; repeatable.")] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address to go to, and open nothing.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Sign in at a server, for `--credential oauth_user`."""
    from ostiary.cli.sign_in_target import choose_user  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415

    target, user = choose_user(url, server, config, credential)
    if scope:
        settings = {name: getattr(user, name) for name in user.model_fields_set}
        user = type(user).model_validate(settings | {"scopes": (*user.scopes, *scope)})
    kept = run(_sign_in(user, target, _print_address if no_browser else _open))
    if kept is None:
        raise KeyboardInterrupt
    _print(target.url, *kept, as_json=as_json)


async def _sign_in(user: OAuthUser, target: ServerTarget, browser: Browser) -> tuple[Grant, str]:
    from ostiary.credentials.oauth_user.sign_in import PersonSignIn, SignInNeed, first_challenge  # noqa: PLC0415

    url = target.url
    async with target.runtime(browser=browser) as runtime:
        wanted = SignInNeed(await first_challenge(user, url, runtime))
        return await PersonSignIn(user, url, runtime, browser, wanted).grant(), runtime.vault.place


async def _open(url: str) -> None:
    from ostiary.credentials.browser import open_browser  # noqa: PLC0415

    if await open_browser(url):
        _say(f"Sign in with your browser. If it has shown no page, open this address on this machine:\n{url}")
    else:
        await _print_address(url)


async def _print_address(url: str) -> None:
    _say(f"Open this address in a browser on this machine, and sign in:\n{url}")


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _print(url: CanonicalUrl, grant: Grant, place: str, *, as_json: bool) -> None:
    from ostiary.cli.console import print_json, print_text  # noqa: PLC0415

    told = _told(url, grant, place)
    if as_json:
        print_json(told)
        return
    who = f" as {grant.person}" if grant.person else ""
    print_text(f"Signed in at {grant.issuer}{who}, for {url}.")
    print_text(f"  scopes: {' '.join(grant.scopes) or 'not said'}")
    print_text(f"  until:  {told['expires_at'] or 'not said'}{_after(grant)}")
    print_text(f"  kept:   {place}")
    print_text(f"Now: ostiary tools {url} --credential oauth_user")


def _told(url: CanonicalUrl, grant: Grant, place: str) -> dict[str, Any]:
    from datetime import UTC, datetime  # noqa: PLC0415

    until = None if grant.expires_at is None else datetime.fromtimestamp(grant.expires_at, UTC)
    return {
        "url": str(url),
        "issuer": grant.issuer,
        "person": grant.person,
        "scopes": list(grant.scopes),
        "expires_at": None if until is None else until.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "renewable": grant.refresh_token is not None,
        "kept": place,
    }


def _after(grant: Grant) -> str:
    return ", then renewed without you" if grant.refresh_token else "; then sign in again"
