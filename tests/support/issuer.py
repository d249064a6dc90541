"""An issuer of tokens: keys of each kind, a JWKS over HTTP that counts its readers, and APIs that trust it."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from litestar.types import ASGIApp

from services.chassis.http.auth import key_set
from services.chassis.http.auth.issuer_keys import IssuerKeys
from services.chassis.http.auth.middleware import Authentication
from services.chassis.http.auth.settings import AuthSettings
from services.chassis.http.auth.tokens import Policy, TokenVerifier
from services.chassis.http.server import Server
from services.chassis.http.settings import HttpSettings
from services.chassis.telemetry.health import Health
from services.chassis.telemetry.metrics.registry import Metrics
from services.chassis.telemetry.metrics.serving import TOKENS
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.polling import until

ISSUER, AUDIENCE = "https://issuer.example.org", "eventline"
POLICY = Policy(ISSUER, AUDIENCE, "roles", timedelta(seconds=30))
READY_S = 30.0
PRIVATE: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
MAKERS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def public_jwk(algorithm: str, key: Any, **members: str) -> dict[str, Any]:
    """Return the public part of a key."""
    jwk: dict[str, Any] = MAKERS[algorithm].to_jwk(key.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return jwk | {"kid": algorithm, "alg": algorithm, "use": "sig"} | members


def claims(**changed: Any) -> dict[str, Any]:
    """Return the claims of a good token of an hour, others where given; None leaves a claim out."""
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "roles": ["read"], "iat": now, "exp": now + 3600}
    return {name: value for name, value in (usual | changed).items() if value is not None}


def a_token(*roles: str, algorithm: str = "EdDSA", kid: str | None = None, **changed: Any) -> str:
    """Return a token with roles, signed with the issuer's key of an algorithm."""
    content = claims(**({"roles": list(roles)} if roles else {}) | changed)
    return jwt.encode(content, PRIVATE[algorithm], algorithm, {"kid": kid or algorithm})


def assembled(header: object, payload: object, signature: bytes = b"") -> str:
    """Return a token of any parts."""
    parts = json.dumps(header).encode(), json.dumps(payload).encode(), signature
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def bearer(token: str) -> dict[str, str]:
    """Return the header."""
    return {"Authorization": f"Bearer {token}"}


class KeyServer:
    """A JWKS over HTTP. `reads` counts requests; `keys` may be changed while it serves."""

    def __init__(self) -> None:
        self.keys = [public_jwk(algorithm, key) for algorithm, key in PRIVATE.items()]
        self.reads = 0
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.reads += 1
                body = json.dumps({"keys": outer.keys}).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self._server.server_address[1]}/jwks.json"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def issuer_keys(self, monotonic: Callable[[], float] = time.monotonic) -> IssuerKeys:
        """Return keys that were read once."""
        settings = AuthSettings(
            auth="jwt", auth_jwks_url=self.url, auth_issuer=ISSUER, auth_audience=AUDIENCE, http_host=HOST
        )
        keys = IssuerKeys(key_set.source(settings), monotonic)
        keys.refresh()
        return keys

    def verifier(self, monotonic: Callable[[], float] = time.monotonic) -> TokenVerifier:
        """Return a verifier that trusts these keys."""
        return TokenVerifier(self.issuer_keys(monotonic), POLICY)


@contextmanager
def served(app: ASGIApp, verifier: TokenVerifier) -> Iterator[int]:
    """Serve a protected application as a service does, and yield the port."""
    (port,) = free_ports(1)
    health, stop = Health(), threading.Event()
    protected = Authentication(app, verifier, Metrics("test", "0").counter(TOKENS))
    server = Server(protected, HttpSettings(http_host=HOST, http_port=port), health)
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    try:
        until("the server listens", health.missing, lambda missing: "http" not in missing, READY_S)
        yield port
    finally:
        stop.set()
        thread.join(READY_S)
