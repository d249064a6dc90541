"""TLS: files checked before they are used, and why a server's certificate is refused, in words.

The clients of Kafka and PostgreSQL report "certificate verify failed" for every fault of a certificate; Python's
own TLS names the fault. From here goes a handshake and nothing else. Knows neither Kafka nor SQL.
"""

import socket
import ssl
from pathlib import Path

PATIENCE_S = 3.0


def authority_problem(file: str) -> str | None:
    """Return what is wrong with a file of certificates to trust, None when it can be used."""
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        return "has no certificate in PEM"
    except OSError as error:
        return _unreadable(error)
    return None


def pair_problem(certificate: str, key: str) -> str | None:
    """Return what is wrong with a certificate of our own and its key, None when they can be used."""
    for file in (certificate, key):
        try:
            Path(file).read_bytes()
        except OSError as error:
            return f"{file!r} {_unreadable(error)}"
    try:
        # Without a password of ours OpenSSL would ask the terminal for one.
        ssl.create_default_context().load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"the key in {key!r} does not fit the certificate in {certificate!r}"
        return f"{certificate!r} and {key!r} are no certificate and its key, unencrypted, in PEM"
    except ValueError:  # the key is encrypted, and an empty password is none
        return f"the key in {key!r} is encrypted: give it without a password"
    return None


def context(authorities: str, certificate: str = "", key: str = "", *, check_name: bool = True) -> ssl.SSLContext:
    """Return whom a client trusts and what it shows of itself; without a file the machine's authorities are trusted.

    Raises OSError for a file that cannot be used.
    """
    made = ssl.create_default_context(cafile=authorities or None)
    made.check_hostname = check_name
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT  # later Pythons are stricter here than the clients, which decide
    if certificate and key:
        made.load_cert_chain(certificate, key, password="")
    return made


def refusal(host: str, port: int, trusted: ssl.SSLContext, ask: bytes = b"") -> str | None:
    """Return why there is no TLS with a server, None when there is or the server is not reached.

    `ask` is what a protocol asks for TLS with; the server's yes is the byte S, as PostgreSQL has it.
    """
    try:
        with socket.create_connection((host, port), PATIENCE_S) as plain:
            if ask:
                plain.sendall(ask)
                if plain.recv(1) != b"S":
                    return f"{host}:{port} offers no TLS"
            with trusted.wrap_socket(plain, server_hostname=host):
                return None
    except ssl.SSLCertVerificationError as error:
        return f"the certificate of {host}:{port} is refused: {error.verify_message}"
    except ssl.SSLError as error:
        return f"no TLS with {host}:{port}: {(error.reason or str(error)).replace('_', ' ').lower()}"
    except OSError:
        return None


def expiry(host: str, port: int, trusted: ssl.SSLContext) -> float | None:
    """Return when the certificate of a server expires, in seconds since 1970; None without a trusted TLS connection."""
    try:
        with (
            socket.create_connection((host, port), PATIENCE_S) as plain,
            trusted.wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            certificate = encrypted.getpeercert() or {}
    except OSError:
        return None
    return float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))


def _unreadable(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"
