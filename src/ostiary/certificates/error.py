"""What of a certificate cannot be used."""

from __future__ import annotations

from ostiary.operator_error import OperatorError


class CertificateUnusable(OperatorError):
    """A certificate, key or bundle that cannot be used. The message names the file and says what to do."""
