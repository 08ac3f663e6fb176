"""What we send: how to get, keep and attach the token that one server wants.

    Credential       any of the kinds below, told apart by `type`
    NoCredential     none             nothing
    Header           header           a fixed header
    Bearer           bearer           a fixed bearer token
    GoogleIdToken    google_id_token  a Google ID token, for Cloud Run
    CredentialError                   the root of everything they raise

A kind is its own configuration model, one file a kind; `attach` makes of it the headers of one server
(`headers`), with tokens from one `token_cache`. `adapters/` put these on the requests of HTTP libraries.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ostiary.credentials.bearer import Bearer
from ostiary.credentials.error import CredentialError
from ostiary.credentials.google_id_token import GoogleIdToken
from ostiary.credentials.header import Header
from ostiary.credentials.none import NoCredential

__all__ = ["Bearer", "Credential", "CredentialError", "GoogleIdToken", "Header", "NoCredential"]

Credential = Annotated[NoCredential | Header | Bearer | GoogleIdToken, Field(discriminator="type")]
"""How a server is convinced. Its `type` says which kind."""
