"""The certificates that the other end of a TLS connection showed."""

from __future__ import annotations

import _ssl
import ssl
import sys
from typing import Any


def shown_chain(tls: Any) -> tuple[bytes, ...]:
    """In DER, the leaf first; none where none was asked for, or shown. tls: an `ssl.SSLObject`.

    Before Python 3.13 there is only the object beneath that says it.
    """
    if not isinstance(tls, ssl.SSLObject) or tls.getpeercert(binary_form=True) is None:
        return ()
    if sys.version_info >= (3, 13):
        return tuple(tls.get_unverified_chain())
    beneath: Any = tls._sslobj  # type: ignore[attr-defined]
    der = _ssl.ENCODING_DER
    return tuple(one.public_bytes(der) for one in beneath.get_unverified_chain() or ())
