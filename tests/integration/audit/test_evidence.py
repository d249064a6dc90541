"""Proofs of entries: made from either database, checked without any."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.audit.__main__ import app
from services.audit.notary import checkpoint_store
from services.audit.tree import node_store
from services.chassis.database.database import Database
from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer
from tests.support.audit_log import ORIGIN, a_fact, open_log, record_all
from tests.support.builders import NOW

SIZE = 300
LOG = Signer(ORIGIN, bytes(32))


@pytest.fixture
def recorded(database: Database) -> Database:
    """A log of a full and a partial tile, and two entries after its published checkpoint."""
    open_log(database)
    record_all(database, *map(a_fact, range(SIZE)))
    with database.write() as connection:
        edge = node_store.edge_of(connection)
        note = keys.signed(Checkpoint(ORIGIN, SIZE, edge.root()).text(), [LOG])
        checkpoint_store.add(connection, SIZE, edge.root(), note, NOW)
        checkpoint_store.mark_published(connection, SIZE, NOW)
    record_all(database, *map(a_fact, range(SIZE, SIZE + 2)))
    return database


def run(*argv: object, url: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app, list(map(str, argv)), env={"APP_DATABASE_URL": url})
    return done.exit_code, done.output


def a_policy(folder: Path, signer: Signer = LOG) -> Path:
    file = folder / "policy"
    file.write_text(f"log {signer.vkey}\nquorum none\n")
    return file


@pytest.mark.parametrize("position", [0, 255, 256, SIZE - 1])
@pytest.mark.usefixtures("recorded")
def test_an_entry_is_proven_without_the_database(tmp_path: Path, database_url: str, position: int) -> None:
    proof = tmp_path / "proof"
    assert run("prove", position, "--into", proof, url=database_url)[0] == 0
    code, output = run("check", proof, "--policy", a_policy(tmp_path))
    assert code == 0, output
    assert f"]@{position}, timestamp" in output
    assert f"checkpoint of {ORIGIN}: {SIZE} entries, cosigned by no witness" in output


@pytest.mark.parametrize("position", [SIZE, SIZE + 5, -1])
@pytest.mark.usefixtures("recorded")
def test_an_entry_that_no_published_checkpoint_covers_has_no_proof(database_url: str, position: int) -> None:
    code, output = run("prove", "--", position, url=database_url)
    assert (code, "covers entries 0 to 299" in output) == (1, True), output


def test_a_proof_with_another_entry_key_or_form_is_refused(
    tmp_path: Path, database_url: str, recorded: Database
) -> None:
    proof = tmp_path / "proof"
    assert run("prove", 7, "--into", proof, url=database_url)[0] == 0
    other = a_policy(tmp_path, Signer(ORIGIN, b"\x01" * 32))
    assert run("check", proof, "--policy", other)[0] == 5
    policy, whole = a_policy(tmp_path), proof.read_bytes()
    proof.write_bytes(whole.replace(b"index 7\n", b"index 8\n"))
    assert run("check", proof, "--policy", policy)[0] == 1
    proof.write_bytes(whole[1:])
    assert run("check", proof, "--policy", policy)[0] == 2
    assert run("check", tmp_path / "missing", "--policy", policy)[0] == 2
    recorded.close()
