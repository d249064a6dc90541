"""An OAuth issuer for the tests: signs a token for a client that knows its secret, and publishes its key."""

import base64
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

HOST = "127.0.0.1"


class Issuer:
    """Answers `/token` to POST and `/jwks` to GET from threads of its own until closed; with TLS by a certificate."""

    def __init__(self, secret: str, subject: str, certificate: trustme.LeafCert | None = None) -> None:
        self.secret, self.subject, self.lasts_s = secret, subject, 300
        self.asked: list[dict[str, list[str]]] = []
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self))
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def sign_like(self, other: "Issuer") -> None:
        """Sign with another issuer's key."""
        self._key = other._key  # noqa: SLF001  # of the same class

    def keys(self) -> dict[str, object]:
        """Return the key set with which tokens are verified."""
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [key | {"kid": "1", "alg": "RS256", "use": "sig"}]}

    def token(self, login: str, form: str) -> dict[str, object] | None:
        """Return the answer to a request with a login in HTTP's basic form; None for a wrong secret."""
        self.asked.append(parse_qs(form))
        _, _, secret = base64.b64decode(login.removeprefix("Basic ")).decode().partition(":")
        if secret != self.secret:
            return None
        now = int(time.time())
        claims = {"sub": self.subject, "aud": "kafka", "iat": now, "exp": now + self.lasts_s}
        token = jwt.encode(claims, self._key, "RS256", headers={"kid": "1"})
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.lasts_s}

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def do_GET(self) -> None:  # http.server's name
            self._answer(issuer.keys())

        def do_POST(self) -> None:  # as above
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(issuer.token(self.headers["Authorization"], form))

        def _answer(self, body: dict[str, object] | None) -> None:
            content = json.dumps(body or {"error": "invalid_client"}).encode()
            self.send_response(200 if body else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler
