"""The configured database URL: merged with a separate password, and checked for contradictions."""

import struct

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from services.chassis.net import tls

ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})  # the others send everything in the clear at need
VERIFIED = frozenset({"verify-ca", "verify-full"})
DRIVERS = frozenset({"sqlite", "postgresql", "postgresql+psycopg"})
PORT = 5432
SSL_REQUEST = struct.pack("!II", 8, 80877103)  # what PostgreSQL's protocol asks for TLS with


def address(url: str, password: str) -> URL:
    """Return where a database is and who we are there; the password may hold any character."""
    found = make_url(url)
    return found.set(password=password) if password else found


def refusal(url: URL) -> str | None:
    """Return why there is no TLS with PostgreSQL, None when there is, or none is asked for."""
    query = {name: str(value) for name, value in url.query.items()}
    mode, authorities = query.get("sslmode", ""), query.get("sslrootcert", "")
    if mode not in VERIFIED or not url.host:
        return None
    try:
        trusted = tls.context("" if authorities == "system" else authorities, check_name=mode == "verify-full")
    except OSError as error:
        return f"sslrootcert={authorities!r}: {error}"
    return tls.refusal(url.host, url.port or PORT, trusted, ask=SSL_REQUEST)


def problems(url: str, password: str) -> list[str]:
    """Return what cannot be meant, a line each. The URL may hold a password: it is never repeated."""
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        return ["APP_DATABASE_URL is no URL: write sqlite:///FOLDER/FILE or postgresql+psycopg://USER@HOST/NAME"]
    if found.drivername not in DRIVERS:
        return [f"APP_DATABASE_URL begins with {found.drivername!r}: write one of {', '.join(sorted(DRIVERS))}"]
    if found.drivername == "sqlite":
        return ["APP_DATABASE_PASSWORD has no meaning with SQLite: remove it"] if password else []
    both = bool(password and found.password)
    twice = ["APP_DATABASE_PASSWORD and APP_DATABASE_URL both hold a password: leave it out of the URL"]
    return (twice if both else []) + _tls_problems({name: str(value) for name, value in found.query.items()})


def _tls_problems(query: dict[str, str]) -> list[str]:
    found = []
    mode, authorities = query.get("sslmode", "prefer"), query.get("sslrootcert", "")
    certificate, key = query.get("sslcert", ""), query.get("sslkey", "")
    if (authorities or certificate or key) and mode not in ENCRYPTED:
        found.append(f"APP_DATABASE_URL: sslmode={mode} would go on in the clear: write sslmode=verify-full")
    if authorities not in {"", "system"} and (wrong := tls.authority_problem(authorities)):
        found.append(f"APP_DATABASE_URL: sslrootcert={authorities!r} {wrong}: name a file of certificates in PEM")
    if bool(certificate) != bool(key):
        found.append("APP_DATABASE_URL: sslcert and sslkey belong together: give both or neither")
    elif key and (wrong := tls.pair_problem(certificate, key)):
        found.append(f"APP_DATABASE_URL: sslcert and sslkey: {wrong}")
    return found
