"""One name or value of a form. RFC 6749 appendix B (application/x-www-form-urlencoded)."""

from __future__ import annotations

import binascii
import re

_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def is_broken(encoded: bytes) -> bool:
    """Whether a percent sign in it encodes nothing: parsers disagree about what that means."""
    return _BROKEN.search(encoded) is not None


def form_decoded(encoded: bytes) -> str:
    """The text. Raises UnicodeDecodeError for what is not in UTF-8. Whether it is broken was asked before."""
    if b"+" in encoded:
        encoded = encoded.replace(b"+", b" ")
    if b"%" in encoded:
        # Quoted-printable (RFC 2045 section 6.7) differs in its sign alone, and is decoded in C.
        encoded = binascii.a2b_qp(encoded.replace(b"=", b"=3D").replace(b"%", b"="))
    return encoded.decode("utf-8")
