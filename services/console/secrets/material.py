"""Contents of a Secret that are made as a whole: a token issuer's key pair, a certificate with its private key."""

import datetime as dt
import ipaddress
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.console.tokens.issuer import PRIVATE, PUBLIC, new_key

KEYSTORE, AUTHORITY, HOSTS = "keystore.pem", "ca.crt", "hosts"
VALID = dt.timedelta(days=730)
EARLIER = dt.timedelta(hours=1)  # clocks differ

Made = Mapping[str, bytes]


def issuer(_: Mapping[str, str]) -> Made:
    """Return the private key of a token issuer and the key set that verifies its tokens."""
    with tempfile.TemporaryDirectory() as folder:
        return {path.name: path.read_bytes() for path in new_key(Path(folder) / "new")}


def certificate(given: Mapping[str, str]) -> Made:
    """Return a keystore for hosts, separated by semicolons, and its authority, whose private key nobody has."""
    hosts = given[HOSTS].split(";")
    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # Clients that trust two authorities find the one that signed by its name: each has another.
    name = f"Eventline, made in the cluster, {secrets.token_hex(4)}"
    root = _builder(name, authority).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signed = _builder(hosts[0], server, name).add_extension(x509.SubjectAlternativeName(_names(hosts)), critical=False)
    key = server.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = signed.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM)
    return {KEYSTORE: key + chain, AUTHORITY: root.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM)}


def _builder(name: str, key: ec.EllipticCurvePrivateKey, by: str = "") -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(by or name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + VALID)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    return [x509.IPAddress(address) if (address := _address(host)) else x509.DNSName(host) for host in hosts]


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


# By the keys of the Secret that are made.
MADE: Mapping[frozenset[str], Callable[[Mapping[str, str]], Made]] = {
    frozenset({PRIVATE, PUBLIC}): issuer,
    frozenset({KEYSTORE, AUTHORITY}): certificate,
}
