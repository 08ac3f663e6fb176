"""What is wrong with a foreign token, in the error code of the endpoint that was given it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ostiary.oauth.errors import InvalidToken, OAuthError


@contextlib.contextmanager
def map_invalid_token(kind: type[OAuthError], name: str) -> Iterator[None]:
    """InvalidToken inside becomes an error of this kind. name: what takes the place of "the token"."""
    try:
        yield
    except InvalidToken as refused:
        sentence = refused.description.replace("the token", name, 1)
        raise kind(sentence, detail=refused.detail) from None
