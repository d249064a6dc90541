"""The issuer's public keys: a JSON Web Key Set (RFC 7517) from a file or a URL."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from services.chassis.http.auth.settings import AuthSettings
from services.chassis.net.http_exchange import ExchangeError, Limits, Request, exchange

LARGEST_SET = 256 * 1024  # bytes
MOST_KEYS = 100
LEAST_RSA_BITS = 2048
TIMEOUT_S = 5.0
OK, REDIRECTS = 200, 3  # a status, and the first digit of others
ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
UNUSABLE: tuple[type[Exception], ...] = (PyJWTError, ValueError, TypeError, KeyError, AttributeError)

Keys = Mapping[str, PyJWK]
log = structlog.get_logger()


class KeySetError(ConnectionError):
    """The key set cannot be read, or no key of it can be used."""


class _Set(msgspec.Struct):
    keys: list[dict[str, Any]]


def source(settings: AuthSettings) -> Callable[[], bytes]:
    """Return a function that reads the configured key set. It raises KeySetError."""
    if settings.auth_jwks_file:
        return lambda: _read(Path(settings.auth_jwks_file))
    return lambda: _fetch(settings.auth_jwks_url)


def parse(content: bytes) -> Keys:
    """Return the keys that can verify tokens, by `kid`, which is empty for a key without one. Raises KeySetError.

    A key decides its algorithm, so that a token can choose none. Keys of other kinds, for encryption, or with a private
    part are left out.
    """
    try:
        listed = msgspec.json.decode(content, type=_Set).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KeySetError(f"the issuer's key set is not a JWKS: {error}") from None
    found: dict[str, PyJWK] = {}
    for entry in listed[:MOST_KEYS]:
        kid = entry.get("kid", "")
        if isinstance(kid, str) and kid not in found and (key := _key(entry)):
            found[kid] = key
        else:
            log.info("a key of the issuer is left out", kid=str(kid)[:100], kty=str(entry.get("kty"))[:20])
    if not found:
        raise KeySetError("the issuer's key set has no public key for RS256, ES256 or EdDSA")
    return found


def _key(entry: dict[str, Any]) -> PyJWK | None:
    curve = None if entry.get("kty") == "RSA" else str(entry.get("crv"))
    algorithm = ALGORITHMS.get((str(entry.get("kty")), curve))
    if algorithm is None or entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
        return None
    try:
        key = PyJWK(entry, algorithm)
    except UNUSABLE:
        return None
    too_short = isinstance(key.key, RSAPublicKey) and key.key.key_size < LEAST_RSA_BITS
    return None if "d" in entry or too_short else key


def _read(path: Path) -> bytes:
    name = f"APP_AUTH_JWKS_FILE={str(path)!r}"
    if path.exists() and not path.is_file():
        raise KeySetError(f"{name} is not a file")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_SET + 1)
    except OSError as error:
        raise KeySetError(f"{name} cannot be read: {error.strerror or error}") from None
    if len(content) > LARGEST_SET:
        raise KeySetError(f"{name} has more than {LARGEST_SET} bytes: is it a key set?")
    return content


def _fetch(url: str) -> bytes:
    address = urlsplit(url)
    query = f"?{address.query}" if address.query else ""
    where = f"the issuer's key set at {address.netloc}"
    try:
        answer = exchange(address, Request((address.path or "/") + query), Limits(TIMEOUT_S, LARGEST_SET))
    except ExchangeError as error:
        raise KeySetError(f"{where} cannot be read: {error}") from None
    if answer.status != OK:
        redirects = ", and no redirect is followed" if answer.status // 100 == REDIRECTS else ""
        raise KeySetError(f"{where} cannot be read: status {answer.status}{redirects}")
    return answer.body
