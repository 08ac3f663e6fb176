"""`ostiary pki`: the certificates of workloads, on machines where nobody else issues them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options
from ostiary.cli.failure import BadUsage, Failure

if TYPE_CHECKING:
    from datetime import timedelta

    from cryptography.x509 import Certificate

    from ostiary.certificates.explanation import CertificateExplanation
    from ostiary.identity.spiffe import SpiffeId
    from ostiary.identity.trust_bundles import TrustBundle

app = typer.Typer(help="The certificates of workloads, by an internal authority.", no_args_is_help=True)

LIFETIME, LONGEST_LIFETIME = "24h", "90d"
CERTIFICATES = ("*.crt", "*.pem")

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the authority.")]


@app.callback()
def pki() -> None:
    """The certificates of workloads, by an internal authority."""


@app.command()
def init(
    directory: Directory,
    trust_domain: Annotated[
        str, typer.Option("--trust-domain", metavar="NAME", help="For which it speaks.")
    ] = "ostiary.local",
    as_json: options.AsJson = False,
) -> None:
    """Make an authority in a folder that is not there yet. Its key stays there."""
    import time  # noqa: PLC0415

    from ostiary.certificates.authority import make_authority  # noqa: PLC0415
    from ostiary.certificates.settings import CaDirectory  # noqa: PLC0415
    from ostiary.cli.console import print_json, print_text  # noqa: PLC0415
    from ostiary.identity.spiffe import SpiffeIdRefused  # noqa: PLC0415

    made = CaDirectory(directory.resolve())
    try:
        authority = make_authority(made, trust_domain, now=time.time())
    except SpiffeIdRefused as refused:
        raise BadUsage(f"--trust-domain {trust_domain}: {refused}") from None
    if as_json:
        ends = authority.certificate.not_valid_after_utc.isoformat()
        print_json({"directory": str(made), "trust_domain": trust_domain, "ends": ends})
    else:
        print_text(f"An authority of trust domain {trust_domain} is in {directory}.")
        print_text("Keep its ca.key: who has it can be any workload. ca.crt is for everybody.")


@app.command()
def issue(  # noqa: PLR0913, PLR0917 - an option each
    directory: Directory,
    owner: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="Whose certificate it is.")],
    dns: Annotated[
        list[str] | None, typer.Option("--dns", metavar="HOST", help="A host name that it is for.")
    ] = None,
    ip: Annotated[
        list[str] | None, typer.Option("--ip", metavar="ADDRESS", help="An address that it is for.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to. Default: DIR/NAMESPACE/NAME.")
    ] = None,
    lifetime: Annotated[
        str, typer.Option("--lifetime", metavar="TIME", help=f"At most {LONGEST_LIFETIME}.")
    ] = LIFETIME,
    template: Annotated[
        str | None,
        typer.Option("--template", metavar="ID", help="The shape of SPIFFE IDs, if it is another one."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Issue a certificate, or renew it: tls.crt, tls.key and ca.crt."""
    import time  # noqa: PLC0415

    from ostiary.certificates.authority import read_authority  # noqa: PLC0415
    from ostiary.certificates.issued_files import IssuedFiles  # noqa: PLC0415
    from ostiary.certificates.settings import CaDirectory  # noqa: PLC0415
    from ostiary.cli.console import print_json, print_text  # noqa: PLC0415

    authority = read_authority(CaDirectory(directory))
    named = _named(authority.trust_domain, owner, template)
    material = authority.issue(
        named, _hosts(dns or [], ip or []), now=time.time(), lifetime=_lifetime(lifetime)
    )
    files = IssuedFiles(directory / owner if out is None else out)
    files.write(material)
    ends = material.chain[0].not_valid_after_utc
    if as_json:
        written = {
            "certificate": str(files.certificate),
            "private_key": str(files.private_key),
            "trust_bundle": str(files.trust_bundle),
        }
        serial = f"{material.chain[0].serial_number:x}"
        print_json({"spiffe_id": str(named), "serial": serial, "ends": ends.isoformat(), **written})
    else:
        print_text(f"{named} has a certificate until {ends:%Y-%m-%d %H:%M UTC}, in {files.directory}:")
        print_text("tls.crt, tls.key and ca.crt, for certificates of source files.")


@app.command()
def show(
    place: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="Certificates, or a folder with them.")],
    as_json: options.AsJson = False,
) -> None:
    """Say what a certificate is, for whom, until when, and what is odd about it."""
    import time  # noqa: PLC0415
    import warnings  # noqa: PLC0415

    from ostiary.cli.console import print_json, print_text  # noqa: PLC0415

    now = time.time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography's, of certificates such as no authority should make
        found = [shown for file in _files(place) for shown in _explained(file, now)]
    if as_json:
        print_json([one.as_data(now) for one in found])
        return
    for number, one in enumerate(found):
        if number:
            print_text("")
        for line in one.lines(now):
            print_text(line)


@dataclass(frozen=True, slots=True)
class Shown:
    """One certificate of a file."""

    file: Path
    explanation: CertificateExplanation
    oddities: tuple[str, ...]

    def lines(self, now: float) -> Iterator[str]:
        """What people read. Whoever made a certificate wrote what stands in it."""
        from ostiary.telemetry.redaction import one_line  # noqa: PLC0415

        said = self.explanation
        facts = {
            "what": said.what,
            "in": str(self.file),
            "SPIFFE ID": ", ".join(said.names),
            "hosts": ", ".join(said.hosts),
            "from": said.issuer,
            "serial": said.serial,
            "valid from": _moment(said.begins, now),
            "ends": _moment(said.ends, now),
            "key": said.key,
        }
        for name, value in facts.items():
            if value:
                yield f"{name:<11} {one_line(value)}"
        for oddity in self.oddities:
            yield f"! {oddity}"

    def as_data(self, now: float) -> dict[str, Any]:
        """What programs read."""
        said = self.explanation
        return {
            "file": str(self.file),
            "kind": said.kind,
            "names": list(said.names),
            "owner": said.owner,
            "hosts": list(said.hosts),
            "issuer": said.issuer,
            "serial": said.serial,
            "begins": round(said.begins),
            "ends": round(said.ends),
            "ends_in": round(said.ends - now),
            "key": said.key,
            "oddities": list(self.oddities),
        }


def _named(trust_domain: str, owner: str, template: str | None) -> SpiffeId:
    from ostiary.identity.spiffe import (  # noqa: PLC0415
        DEFAULT_TEMPLATE,
        SpiffeTemplate,
        TemplateRefused,
        is_owner,
    )

    if not is_owner(owner):
        raise BadUsage(f"{owner} is no owner: write its namespace and name, such as default/gateway")
    namespace, _, name = owner.partition("/")
    try:
        shape = DEFAULT_TEMPLATE if template is None else SpiffeTemplate(template)
    except TemplateRefused as refused:
        raise BadUsage(f"--template {template}: {refused}") from None
    return shape.render(trust_domain, namespace, name)


def _hosts(dns: list[str], ip: list[str]) -> list[str]:
    import ipaddress  # noqa: PLC0415

    from ostiary.certificates.settings import host_or_address  # noqa: PLC0415

    hosts = []
    for option, name in [*(("--dns", name) for name in dns), *(("--ip", name) for name in ip)]:
        try:
            hosts.append(host_or_address(name) if option == "--dns" else str(ipaddress.ip_address(name)))
        except ValueError as refused:
            raise BadUsage(f"{option} {name}: {refused}") from None
    return hosts


def _lifetime(text: str) -> timedelta:
    from datetime import timedelta  # noqa: PLC0415

    from ostiary.settings import read_duration  # noqa: PLC0415

    try:
        lifetime = read_duration(text)
    except ValueError as refused:
        raise BadUsage(f"--lifetime {text}: {refused}") from None
    if not timedelta(minutes=1) <= lifetime <= read_duration(LONGEST_LIFETIME):
        raise BadUsage(
            f"--lifetime {text}: a certificate lives for 1m at least, and {LONGEST_LIFETIME} at most"
        )
    return lifetime


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    found = sorted(file for pattern in CERTIFICATES for file in place.glob(pattern) if file.is_file())
    if not found:
        raise Failure(f"{place} has no file of certificates (*.crt, *.pem); name one")
    return found


def _explained(file: Path, now: float) -> Iterator[Shown]:
    """Each certificate of a file, held against the key and the authorities that lie beside it."""
    from ostiary.certificates.explanation import explain  # noqa: PLC0415
    from ostiary.certificates.material import read_any_certificates  # noqa: PLC0415

    first, *others = read_any_certificates(file)
    beside = _authorities(file)
    explanation = explain(first, now=now, between=others, authorities=beside)
    yield Shown(file, explanation, (*explanation.oddities, *_of_key(file, first)))
    for other in others:
        explanation = explain(other, now=now)
        yield Shown(file, explanation, explanation.oddities)


def _authorities(file: Path) -> TrustBundle | None:
    """Those that lie beside it, as `issue` writes them."""
    from ostiary.identity.trust_bundles import TrustBundleUnusable, read_bundle  # noqa: PLC0415

    try:
        return read_bundle(file.with_name("ca.crt"))
    except TrustBundleUnusable:
        return None


def _of_key(file: Path, certificate: Certificate) -> Iterator[str]:
    """What is odd about the key that lies beside it."""
    import os  # noqa: PLC0415

    from ostiary.certificates.error import CertificateUnusable  # noqa: PLC0415
    from ostiary.certificates.material import read_private_key  # noqa: PLC0415
    from ostiary.config.exposure import who_else_reads  # noqa: PLC0415

    key = file.with_suffix(".key")
    if not key.is_file():
        return
    mode = key.stat()
    who = who_else_reads(mode.st_mode, ours=mode.st_uid == os.geteuid())
    if who is not None:
        yield f"{who} may read its key; run: chmod go-rwx {key}"
    try:
        if read_private_key(key).public_key() != certificate.public_key():
            yield f"{key.name} beside it is another certificate's key"
    except CertificateUnusable as unusable:
        yield str(unusable)


def _moment(moment: float, now: float) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415

    from ostiary.oauth.inspection.humanize import relative  # noqa: PLC0415

    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S UTC} ({relative(moment, now)})"
