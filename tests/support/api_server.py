"""A stand-in for the API server of Kubernetes: the Secrets of one namespace, and the rights of one token."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from services.workbench.local.ports import HOST


class ApiServer(ThreadingHTTPServer):
    """The Secrets of the namespace `events`; it refuses what a token may not do."""

    def __init__(self, account: Path) -> None:
        super().__init__((HOST, 0), Handler)
        self.account = account
        self.secrets: dict[str, dict[str, Any]] = {}
        self.may_create = True

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.server_port}"

    def data(self, name: str) -> dict[str, str]:
        """Return what a Secret holds, decoded."""
        return {key: base64.b64decode(value).decode() for key, value in self.secrets[name]["data"].items()}

    def add(self, name: str, **data: str) -> None:
        """Have a Secret."""
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        self.secrets[name] = {"metadata": {"name": name}, "data": encoded}


class Handler(BaseHTTPRequestHandler):
    """Answers a pod of the namespace `events`."""

    server: ApiServer

    def do_GET(self) -> None:
        """Answer 200 with the Secret if there is one, else 404."""
        folder, _, name = self.path.rpartition("/")
        assert folder == "/api/v1/namespaces/events/secrets"
        found = self.server.secrets.get(name)
        self._answer(404 if found is None else 200, found)

    def do_POST(self) -> None:
        """Create a Secret: 201, 409 if it exists, 403 if the account may not."""
        secret = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = secret["metadata"]["name"]
        if not self.server.may_create:
            self._answer(403)
        elif name in self.server.secrets:
            self._answer(409)
        else:
            self.server.secrets[name] = secret
            self._answer(201)

    def log_message(self, *_: object) -> None:
        """Write nothing."""

    def _answer(self, status: int, content: dict[str, Any] | None = None) -> None:
        assert self.headers["Authorization"] == "Bearer a-token"
        body = json.dumps(content or {}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(account: Path) -> Iterator[ApiServer]:
    """Serve until the end, for a service account whose files are put into a folder."""
    (account / "namespace").write_text("events")
    (account / "token").write_text("a-token")
    with ApiServer(account) as server:
        threading.Thread(target=partial(server.serve_forever, 0.01), daemon=True).start()
        yield server
        server.shutdown()
