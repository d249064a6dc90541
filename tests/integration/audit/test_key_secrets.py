"""Secrets of the audit log and its witness: made together once, never overwritten; their parts fit each other."""

import pytest
from typer.testing import Result

from services.audit.__main__ import app
from services.chassis.transparency.keys import Signer, Verifier
from tests.support.api_server import ApiServer
from tests.support.in_process import invoke

NAMES = ["eventline-audit-keys", "eventline-witness-keys"]
URL = "http://eventline-witness:8080"


def make(api_server: ApiServer) -> Result:
    where = ["--server", api_server.url, "--account", str(api_server.account)]
    argv = ["keys", "secrets", *NAMES, "--witness-url", URL, "--name", "eventline.local/audit", *where]
    return invoke(app, *argv)


def test_both_secrets_are_made_once_and_each_names_the_other_key(api_server: ApiServer) -> None:
    assert make(api_server).output == f"made {' and '.join(NAMES)}\n"
    audit, witness = map(api_server.data, NAMES)
    log, cosigner = Signer.parse(audit["key"].strip()), Signer.parse(witness["key"].strip())
    assert Verifier.parse(witness["logs"].strip()) == log.verifier
    assert audit["policy"] == f"log {log.vkey}\nwitness own {cosigner.cosignature_vkey} {URL}\nquorum own\n"
    before = dict(api_server.secrets)
    assert make(api_server).output == "unchanged\n"
    assert api_server.secrets == before


@pytest.mark.parametrize("lost", NAMES)
def test_one_secret_without_the_other_is_refused_and_nothing_is_made(lost: str, api_server: ApiServer) -> None:
    make(api_server)
    del api_server.secrets[lost]
    done = make(api_server)
    assert (done.exit_code, f"{lost} is not, and each names the other's key: bring it back" in done.output) == (2, True)
    assert lost not in api_server.secrets


def test_an_account_without_the_right_is_named_and_nothing_is_made(api_server: ApiServer) -> None:
    api_server.may_create = False
    done = make(api_server)
    assert (done.exit_code, "403" in done.output, api_server.secrets) == (2, True, {})
