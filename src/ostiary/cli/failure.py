"""One sentence to standard error, and the exit code: 1 the job failed, 2 bad usage or configuration."""

from __future__ import annotations

JOB_FAILED = 1
BAD_USAGE = 2


class Failure(Exception):
    """The job failed. The message is what the person reads."""

    exit_code = JOB_FAILED


class BadUsage(Failure):
    """The command cannot be meant like this."""

    exit_code = BAD_USAGE


def outcome(error: Exception) -> Failure | None:
    """An error of one of our parts as the outcome of a command; None for what is a bug of ours."""
    # Imported here: only a command that failed needs to know all the ways to fail.
    from ostiary.cloudrun.emulator.container import ContainerFailed  # noqa: PLC0415
    from ostiary.cloudrun.emulator.service_accounts import KeyFileRefused  # noqa: PLC0415
    from ostiary.config import ConfigurationError  # noqa: PLC0415
    from ostiary.credentials import CredentialError  # noqa: PLC0415
    from ostiary.storage.errors import StorageError  # noqa: PLC0415
    from ostiary.telemetry.audit import AuditUnusable  # noqa: PLC0415
    from ostiary.transport.mutual_tls import CertificateUnusable  # noqa: PLC0415
    from ostiary.transport.proxies import ProxyUnusable  # noqa: PLC0415
    from ostiary.transport.serving import ListenRefused  # noqa: PLC0415
    from ostiary.transport.trust import TrustUnusable  # noqa: PLC0415
    from ostiary.zoo.server import SdkTooOld  # noqa: PLC0415

    match error:
        case Failure():
            return error
        case ConfigurationError():
            return BadUsage(str(error))
        case ContainerFailed() | CredentialError() | KeyFileRefused() | ListenRefused():
            return Failure(str(error))
        case AuditUnusable() | SdkTooOld() | StorageError():
            return Failure(str(error))
        case CertificateUnusable() | ProxyUnusable() | TrustUnusable():
            return Failure(str(error))
    return None
