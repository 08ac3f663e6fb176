"""What joserfc may take and make: one algorithm, and headers as long as issuers write them. RFC 7515."""

from __future__ import annotations

from typing import TYPE_CHECKING

from joserfc.jws import JWSRegistry

if TYPE_CHECKING:
    from joserfc.jwa import JWSAlgModel

LONGEST_HEADER = 16 * 1024
"""Bytes. One with a certificate chain is long, and harmless; whoever reads a JWT bounds it as a whole."""


class SignatureRules(JWSRegistry):
    """For one algorithm.

    EdDSA is taken without a warning: RFC 9864 deprecates the name, and it is the one that issuers know.
    """

    max_header_length = LONGEST_HEADER

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm], strict_check_header=False)
        self._algorithm = algorithm

    def get_alg(self, name: str) -> JWSAlgModel:
        """Raises JoseError for any other algorithm."""
        return self.algorithms[name] if name == "EdDSA" == self._algorithm else super().get_alg(name)
