"""The local Google: Cloud Run and what stands around it, on loopback.

    emulator   starts and stops all of it
    config     emulator.yaml
    clock      its time, which can be moved

Who is who, and what proves it:
    service_accounts   the accounts of the project, and their key files
    keys               the RSA keys that sign
    tokens             ID tokens and access tokens: minted, verified, counted

What Google's APIs answer:
    google_api        all on one listener
    metadata_server   to programs that run on Google
    token_endpoint    to holders of a key file                     RFC 7523
    iam_credentials   to accounts that may act as another one
    discovery         the public keys                              RFC 7517, OpenID Connect Discovery
    admin             the emulator's own: move the clock, sign anything, count
    odd_tokens        what it signs
    google            what they all know
    google_error      how they refuse

A Cloud Run service:
    service_urls   what a service is called, and which audiences open it
    invokers       who may call it
    admission      the decision over one request: pure
    pages          how it refuses
    front_end      the listener that decides and passes on
    proxy          bytes to the container and back, as they come
    container      the command behind it

Its tokens are signed with keys made at its start, so nobody else takes them for Google's.
"""

from ostiary.cloudrun.emulator.config import EmulatorSettings
from ostiary.cloudrun.emulator.emulator import Emulator

__all__ = ["Emulator", "EmulatorSettings"]
