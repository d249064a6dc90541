"""Certificates made for the tests, right and wrong, and the reasons reported for wrong ones."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import trustme

from tests.support.proxy import Proxy

HOST = "localhost"
NAMES = (HOST, "127.0.0.1")
USER = "eventline"
AUTHORITY = trustme.CA()
SINCE, UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
# Faults of a server's certificate, and the reason that is reported for each.
CERTIFICATES: Mapping[str, trustme.LeafCert] = {
    "right": AUTHORITY.issue_cert(*NAMES),
    "wrong CA": trustme.CA().issue_cert(*NAMES),
    "expired": AUTHORITY.issue_cert(*NAMES, not_before=SINCE, not_after=UNTIL),
    "wrong host name": AUTHORITY.issue_cert("broker.example.org"),
}
REASONS = {
    "wrong CA": "unable to get local issuer certificate",
    "expired": "certificate has expired",
    "wrong host name": "Hostname mismatch, certificate is not valid for 'localhost'",
}


class Files(msgspec.Struct, frozen=True):
    """Files of a client: trusted authority, its own certificate and key, and a key that does not match."""

    authority: str
    certificate: str
    key: str
    other_key: str


def client_files(folder: Path) -> Files:
    """Write a client's files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(*(str(folder / f"{name}.pem") for name in ("ca", "certificate", "key", "other-key")))
    mine, other = AUTHORITY.issue_cert("client.example.org"), AUTHORITY.issue_cert("other.example.org")
    AUTHORITY.cert_pem.write_to_path(files.authority)
    mine.cert_chain_pems[0].write_to_path(files.certificate)
    mine.private_key_pem.write_to_path(files.key)
    other.private_key_pem.write_to_path(files.other_key)
    return files


class Tapped(Proxy):
    """A proxy that records what clients send: `spoken` is what a server without TLS would have read."""

    def __init__(self, target: int, port: int = 0) -> None:
        self.pieces: list[bytes] = []
        super().__init__(target, port)

    def hears(self, piece: bytes) -> bool:
        """Keep a piece, and cut nothing."""
        self.pieces.append(piece)
        return False

    @property
    def spoken(self) -> bytes:
        """All bytes sent by clients, of all connections."""
        return b"".join(self.pieces)
