"""The broker's certificate and the authority that signed it, generated once."""

from pathlib import Path

import msgspec
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from services.workbench.local.access.passwords import new_folder, write_secret
from services.workbench.local.ports import HOST


class Certificates(msgspec.Struct, frozen=True):
    """PEM files: the authority that clients trust, and the broker's key followed by its certificate."""

    authority: Path
    broker: Path


def ensure(folder: Path) -> Certificates:
    """Return the certificates in a folder, which are generated if the folder has none."""
    files = Certificates(folder / "ca.pem", folder / "broker.pem")
    with new_folder(folder) as new:
        if new:
            _write(Certificates(new / files.authority.name, new / files.broker.name))
    return files


def _write(files: Certificates) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", HOST)
    authority.cert_pem.write_to_path(str(files.authority))
    key = load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # the one form that Kafka reads
    write_secret(files.broker, (pem + issued.cert_chain_pems[0].bytes()).decode())
