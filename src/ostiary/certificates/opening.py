"""Settings in, a source of certificates out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ostiary.certificates.files import FileSource
from ostiary.certificates.internal_ca import InternalCaSource
from ostiary.certificates.settings import FileCertificates, InternalCaCertificates, SpiffeCertificates
from ostiary.certificates.source import CertificateSource


def open_certificates(
    settings: FileCertificates | InternalCaCertificates | SpiffeCertificates,
    *,
    owner: str,
    names: Sequence[str] = (),
    clock: Callable[[], float] = time.time,
) -> CertificateSource:
    """The source that the settings name. Close it when nothing is shown any more.

    owner: which workload the part is, `namespace/name`, unless the settings say; names: hosts and addresses
    at which it listens, if it does; clock: seconds since the epoch. Raises CertificateUnusable.
    """
    match settings:
        case FileCertificates():
            return FileSource(settings)
        case InternalCaCertificates():
            return InternalCaSource(settings, owner=owner, names=names, clock=clock)
        case SpiffeCertificates():
            from ostiary.certificates.workload_api import WorkloadApiSource  # noqa: PLC0415 - for who uses it

            return WorkloadApiSource(settings, clock=clock)
