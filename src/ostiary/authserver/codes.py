"""Authorization codes: made once, redeemed once. RFC 6749 section 4.1.2.

What a code stands for is sealed in its row, upstream tokens included, until it is redeemed. Then the tokens
move on, and of the code only so much is left that a second redemption is known for what it is.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, insert

from ostiary.authserver.authorized import Authorized
from ostiary.storage.schema import codes
from ostiary.storage.store import Store, digest

_INSERT = insert(codes)


def new_code(
    connection: Connection, store: Store, authorized: Authorized, *, now: float, lifetime: float
) -> str:
    """A code for what a person agreed to. now: seconds since the epoch; lifetime: seconds."""
    code = secrets.token_urlsafe(32)
    code_hash = digest(code)
    row = {
        "code_hash": code_hash,
        "client_id": authorized.client_id,
        "sealed": store.seal(authorized, table=codes, key=code_hash),
        "expires_at": now + lifetime,
        "kept_until": now + lifetime,
    }
    connection.execute(_INSERT, row)
    return code
