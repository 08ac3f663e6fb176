"""A server that is known by its SPIFFE ID, where its certificate is for no host name. X509-SVID section 5.

It is looked at within the handshake, before a byte is sent over the connection.
"""

from __future__ import annotations

import ssl

from ostiary.identity.spiffe import SpiffeId
from ostiary.identity.svid import CertificateRefused, read_certificate, spiffe_id

OTHER_NAME = 62
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH: whoever explains errors knows it."""


def expect_server(context: ssl.SSLContext, expected: SpiffeId) -> None:
    """Make a client's context trust the server of this name alone, of all whose authorities it believes.

    context: one that compares no host names.
    """

    class Expecting(ssl.SSLObject):
        """A connection to that server."""

        def do_handshake(self) -> None:
            """Raises SSLCertVerificationError for another server."""
            super().do_handshake()
            require_server(self.getpeercert(binary_form=True), expected)

    context.sslobject_class = Expecting


def require_server(certificate: bytes | None, expected: SpiffeId) -> None:
    """Raise SSLCertVerificationError unless a verified certificate, in DER, is this workload's."""
    if certificate is None:
        raise _another("it showed no certificate")
    try:
        found = spiffe_id(read_certificate(certificate))
    except CertificateRefused as refused:
        raise _another(str(refused)) from None
    if found != expected:
        raise _another(f"its certificate is that of {found}")


def _another(said: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(said)
    error.verify_code, error.verify_message = OTHER_NAME, said
    return error
