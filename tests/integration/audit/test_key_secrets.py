"""Secrets of the audit log and its witness: made together once, never overwritten; their parts fit each other."""

import base64
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import Result

from services.audit.__main__ import app
from services.chassis.transparency.keys import Signer, Verifier
from services.workbench.local.ports import HOST
from tests.support.in_process import invoke

NAMES = ["eventline-audit-keys", "eventline-witness-keys"]
URL = "http://eventline-witness:8080"


class ApiServer(ThreadingHTTPServer):
    """The Secrets of a namespace, as the API server of Kubernetes has them; it refuses what a token may not do."""

    def __init__(self, account: Path) -> None:
        super().__init__((HOST, 0), Handler)
        self.account = account
        self.secrets: dict[str, dict[str, str]] = {}
        self.may_create = True

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.server_port}"

    def data(self, name: str) -> dict[str, str]:
        """Return what a Secret holds, decoded."""
        return {key: base64.b64decode(value).decode() for key, value in self.secrets[name].items()}


class Handler(BaseHTTPRequestHandler):
    """Answers a pod of the namespace `events`."""

    server: ApiServer

    def do_GET(self) -> None:
        """Answer 200 if there is such a Secret, else 404."""
        folder, _, name = self.path.rpartition("/")
        assert folder == "/api/v1/namespaces/events/secrets"
        self._answer(200 if name in self.server.secrets else 404)

    def do_POST(self) -> None:
        """Make a Secret: 201, 409 if it is there, 403 if the account may not."""
        secret = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = secret["metadata"]["name"]
        if not self.server.may_create:
            self._answer(403)
        elif name in self.server.secrets:
            self._answer(409)
        else:
            self.server.secrets[name] = secret["data"]
            self._answer(201)

    def log_message(self, *_: object) -> None:
        """Write nothing."""

    def _answer(self, status: int) -> None:
        assert self.headers["Authorization"] == "Bearer a-token"
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    (tmp_path / "namespace").write_text("events")
    (tmp_path / "token").write_text("a-token")
    with ApiServer(tmp_path) as server:
        threading.Thread(target=partial(server.serve_forever, 0.01), daemon=True).start()
        yield server
        server.shutdown()


def make(server: ApiServer) -> Result:
    where = ["--server", server.url, "--account", str(server.account)]
    argv = ["keys", "secrets", *NAMES, "--witness-url", URL, "--name", "eventline.local/audit", *where]
    return invoke(app, *argv)


def test_both_secrets_are_made_once_and_each_names_the_other_key(server: ApiServer) -> None:
    assert make(server).output == f"made {' and '.join(NAMES)}\n"
    audit, witness = map(server.data, NAMES)
    log, cosigner = Signer.parse(audit["key"].strip()), Signer.parse(witness["key"].strip())
    assert Verifier.parse(witness["logs"].strip()) == log.verifier
    assert audit["policy"] == f"log {log.vkey}\nwitness own {cosigner.cosignature_vkey} {URL}\nquorum own\n"
    before = dict(server.secrets)
    assert make(server).output == "unchanged\n"
    assert server.secrets == before


@pytest.mark.parametrize("lost", NAMES)
def test_one_secret_without_the_other_is_refused_and_nothing_is_made(lost: str, server: ApiServer) -> None:
    make(server)
    del server.secrets[lost]
    done = make(server)
    assert (done.exit_code, f"{lost} is not, and each names the other's key: bring it back" in done.output) == (2, True)
    assert lost not in server.secrets


def test_an_account_without_the_right_is_named_and_nothing_is_made(server: ApiServer) -> None:
    server.may_create = False
    done = make(server)
    assert (done.exit_code, "403" in done.output, server.secrets) == (2, True, {})
