"""A development issuer: an Ed25519 key as JWK, the key set that verifies its tokens, and the tokens.

For development, tests and small installations. In production an identity provider issues tokens.
"""

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt import PyJWK
from jwt.algorithms import OKPAlgorithm
from jwt.exceptions import PyJWTError

from services.console.failures import UsageError

PRIVATE, PUBLIC = "issuer.jwk", "jwks.json"
ALGORITHM = "EdDSA"
SECRET = "d"  # noqa: S105  # the name of the member of a JWK that has the private key


class IssuerError(UsageError):
    """The key cannot be made or used; the message has the remedy."""


class Issuer(msgspec.Struct, frozen=True):
    """The private key, and the claims that every token of it has."""

    key: PyJWK
    kid: str
    issuer: str
    audience: str

    def token(self, subject: str, roles: Iterable[str], lifetime: timedelta, now: float | None = None) -> str:
        """Return a token."""
        made = int(time.time() if now is None else now)
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "roles": sorted(roles),
            "iat": made,
            "exp": made + int(lifetime.total_seconds()),
        }
        return jwt.encode(claims, self.key.key, ALGORITHM, {"kid": self.kid})


def new_key(folder: Path) -> tuple[Path, Path]:
    """Write the files of a new key, private and public, never over others. Raises IssuerError, OSError."""
    private, public = folder / PRIVATE, folder / PUBLIC
    folder.mkdir(parents=True, exist_ok=True)
    for path in (private, public):
        if path.exists():
            raise IssuerError(f"{path} exists: a key is never overwritten; name another folder")
    jwk = _new_jwk()
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(jwk, file)
    public.write_text(json.dumps({"keys": [{name: value for name, value in jwk.items() if name != SECRET}]}))
    return private, public


def read_key(path: Path, issuer: str, audience: str) -> Issuer:
    """Return the issuer of a private key's file. Raises IssuerError."""
    try:
        jwk = json.loads(path.read_text())
        if not isinstance(jwk, dict) or SECRET not in jwk or jwk.get("crv") != "Ed25519":
            raise IssuerError(f"{path} has no private Ed25519 key as JWK: make one by `console token --new-key DIR`")
        return Issuer(PyJWK(jwk, ALGORITHM), str(jwk["kid"]), issuer, audience)
    except OSError as error:
        raise IssuerError(f"the issuer's key {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, PyJWTError) as error:
        raise IssuerError(f"{path} has no key: {error!r}") from None


def _new_jwk() -> dict[str, Any]:
    jwk: dict[str, Any] = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
    # The thumbprint of RFC 7638: the required members in the order of their names.
    members = json.dumps({name: jwk[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
    kid = base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).decode().rstrip("=")
    return {name: jwk[name] for name in ("kty", "crv", "x", SECRET)} | {"kid": kid, "use": "sig", "alg": ALGORITHM}
