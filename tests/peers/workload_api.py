"""An agent that serves the SPIFFE Workload API on a socket, as SPIRE's does, and gives what a test wants."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import grpc
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from spiffe._proto import workload_pb2, workload_pb2_grpc
from tests.peers.workload_authority import Leaf, WorkloadAuthority

Svid = tuple[str, Leaf, WorkloadAuthority] | tuple[str, Leaf, WorkloadAuthority, WorkloadAuthority]
REQUIRED = ("workload.spiffe.io", "true")


class Agent(workload_pb2_grpc.SpiffeWorkloadAPIServicer):
    """Use as a context manager. It holds its workload's stream open, and pushes whatever is given."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp())  # a socket's path has to be short
        self.socket = f"unix://{self._directory}/agent.sock"
        self.streams = 0
        """How often it was asked."""
        self.refuse_with: grpc.StatusCode | None = None
        """What the next streams end with."""
        self._news = threading.Condition()
        self.said: list[workload_pb2.X509SVIDResponse] = []
        """What it gave. The last of it is told to who comes."""
        self._hung_up = 0
        self._is_over = False
        self._server: Any = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Be there, at the socket where it was before."""
        self._is_over = False
        self._server = grpc.server(ThreadPoolExecutor(4))
        workload_pb2_grpc.add_SpiffeWorkloadAPIServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self._server.add_insecure_port(self.socket)
        self._server.start()

    def stop(self) -> None:
        """Be away."""
        with self._news:
            self._is_over = True
            self._news.notify_all()
        self._server.stop(None).wait()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._directory)

    def give(self, *svids: Svid, federated: Mapping[str, WorkloadAuthority] = {}) -> None:
        """Certificates with their authorities: SPIFFE ID, leaf, and who speaks for its trust domain."""
        self.say(
            workload_pb2.X509SVIDResponse(
                svids=[
                    workload_pb2.X509SVID(
                        spiffe_id=name,
                        x509_svid=leaf.der,
                        x509_svid_key=leaf.key.private_bytes(
                            Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
                        ),
                        bundle=b"".join(authority.own.der for authority in authorities),
                    )
                    for name, leaf, *authorities in svids
                ],
                federated_bundles={
                    f"spiffe://{domain}": authority.own.der for domain, authority in federated.items()
                },
            )
        )

    def say(self, response: workload_pb2.X509SVIDResponse) -> None:
        """Push this, to who listens and who comes."""
        with self._news:
            self.said.append(response)
            self._news.notify_all()

    def hang_up(self) -> None:
        """End the streams there are."""
        with self._news:
            self._hung_up += 1
            self._news.notify_all()

    def wait_for_streams(self, count: int, seconds: float = 20.0) -> None:
        """Until it was asked that often."""
        with self._news:
            assert self._news.wait_for(lambda: self.streams >= count, seconds)

    def FetchX509SVID(  # noqa: N802 - as the service calls it
        self, request: object, context: Any
    ) -> Iterator[workload_pb2.X509SVIDResponse]:
        """The stream of one workload."""
        if REQUIRED not in _plain(context.invocation_metadata()):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "security header missing from request")
        with self._news:
            self.streams += 1
            self._news.notify_all()
            hung_up = self._hung_up
            if self.refuse_with is not None:
                context.abort(self.refuse_with, "no identity issued")
        told = 0
        while True:
            with self._news:
                while len(self.said) == told and not self._is_over and self._hung_up == hung_up:
                    self._news.wait()
                if self._is_over or self._hung_up > hung_up:
                    return
                told = len(self.said)
                response = self.said[-1]
            yield response


def _plain(metadata: Sequence[Any]) -> list[tuple[str, str]]:
    return [(key, value) for key, value in metadata]
