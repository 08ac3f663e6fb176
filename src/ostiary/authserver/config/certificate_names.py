"""Whether a certificate is a client's, by the one name that it was registered with. RFC 8705 section 2.1.

Whether it is good, the handshake found out: an authority that we trust issued it, and its time is not over.
"""

from __future__ import annotations

import ipaddress

from cryptography import x509

from ostiary.oauth.server.client import Client

_KINDS: dict[str, type[x509.GeneralName]] = {
    "dns": x509.DNSName,
    "uri": x509.UniformResourceIdentifier,
    "ip": x509.IPAddress,
    "email": x509.RFC822Name,
}


def is_certificate_of(client: Client, der: bytes) -> bool:
    """Whether it has the client's name. A client without one has no certificate."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        if client.certificate_subject is not None:
            return certificate.subject == read_subject(client.certificate_subject)
        return client.certificate_san is not None and _has_san(certificate, *client.certificate_san)
    except ValueError:  # it is no certificate, or says one thing twice
        return False


def read_subject(text: str) -> x509.Name:
    """A distinguished name as RFC 4514 writes it, most specific part first. Raises ValueError.

    Names are compared part by part, so that spaces, escapes and the way to write a type do not matter.
    """
    name = x509.Name.from_rfc4514_string(text)
    if not name.rdns:
        raise ValueError("a certificate's subject is not empty")
    return name


def _has_san(certificate: x509.Certificate, kind: str, wanted: str) -> bool:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    has = [name.value for name in names if isinstance(name, _KINDS[kind])]
    match kind:
        case "ip":
            return ipaddress.ip_address(wanted) in has
        case "dns":
            return wanted.lower() in [str(name).lower() for name in has]
    return wanted in has
