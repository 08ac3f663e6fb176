"""One token for each caller, and no end of callers."""

from __future__ import annotations

from tests.clock import Clock
from tests.credentials.signed import Signer

from ostiary.credentials import TokenExchange
from ostiary.credentials.bearer import Bearer
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.headers.per_subject import HeadersOfSubject
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.tokens.settings_key import key_of
from ostiary.oauth.canonical_url import canonical_url
from ostiary.secrets import Secret

SERVER = canonical_url("https://mcp.example.com/mcp")


async def test_who_has_not_called_for_longest_is_forgotten_first(clock: Clock, runtime: Runtime) -> None:
    made = []

    def make(principal: object, key: object) -> object:
        made.append(key)
        return Bearer(token=Secret("t")).attach(SERVER, runtime=runtime)

    idp = Signer("https://sso.example.com")
    ada, bob, eve = (
        OutgoingRequest("POST", SERVER, principal=idp.principal(clock.now, name))
        for name in ("ada", "bob", "eve")
    )
    headers = HeadersOfSubject(make, credential="test", endpoint=SERVER.origin, most=2)  # type: ignore[arg-type]
    for request in (ada, bob, ada, eve, ada):
        await headers.get(request)
    assert len(made) == 3
    await headers.get(bob)
    assert len(made) == 4
    assert len(set(made)) == 3


def test_credentials_share_a_token_only_when_all_is_the_same() -> None:
    def written(secret: Secret, scopes: tuple[str, ...] = ("a", "b")) -> TokenExchange:
        return TokenExchange(
            issuer="https://sts.example.com", client_id="c", client_secret=secret, scopes=scopes
        )

    keys = {
        key_of(one)
        for one in (
            written(Secret.from_env("A")),
            written(Secret.from_env("A")),
            written(Secret.from_env("B")),
            written(Secret("hunter2")),
            written(Secret("hunter2"), ("b", "a")),
        )
    }
    assert len(keys) == 4
    assert "hunter2" not in str(keys)
