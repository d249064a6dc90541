"""Exports: written from either database, continued, verified without any, and refused where they do not fit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.audit.__main__ import app
from services.audit.export.layout import Layout
from services.chassis.database.database import Database
from services.chassis.transparency.tiles import resources, unbundle
from services.chassis.transparency.tree import leaf_hash
from tests.support.audit_log import ORIGIN, a_fact, all_entries, open_log, record_all
from tests.support.in_process import invoke
from tests.support.signed_audit_log import LOG, OTHER, POLICY, a_policy, append

SIZES = 120, 300, 520
LARGE = b"{" + b" " * 3_000_000  # in a file of its own
KILLED_WITHIN_S = 30.0


@pytest.fixture
def log(database: Database) -> Database:
    """A log of several partitions with checkpoints of three sizes, and two entries that none covers."""
    open_log(database)
    facts = [a_fact(number // 5 + 4, partition=number % 5) for number in range(SIZES[-1])]
    facts[200] = a_fact(44, value=LARGE)
    facts[201] = a_fact(44, partition=1, key=None, value=None, headers=None)
    for start, end in zip((0, *SIZES), SIZES, strict=False):
        append(database, facts[start:end])
    record_all(database, a_fact(1000), a_fact(1001))
    return database


def run(*argv: object, url: str = "") -> tuple[int, str]:
    done = invoke(app, *argv, url=url)
    return done.exit_code, done.output


def verified(folder: Path, policy: str = POLICY) -> tuple[int, str]:
    return run("verify", folder, "--policy", a_policy(folder.parent, policy))


def test_an_export_is_the_log_and_is_whole_without_the_database(
    log: Database, database_url: str, tmp_path: Path
) -> None:
    code, output = run("export", tmp_path / "out", url=database_url)
    assert (code, "520 entries" in output) == (0, True), output
    layout = Layout(tmp_path / "out")
    found = {path for path in layout.folder.rglob("public/tile/**/*") if path.is_file()}
    assert found == {layout.resource(path) for path in resources(SIZES[-1])}
    bundles = [layout.resource(path).read_bytes() for path in resources(SIZES[-1]) if path.level is None]
    leaves = [leaf_hash(entry) for bundle in bundles for entry in unbundle(bundle)]
    assert leaves == [entry.leaf for entry in all_entries(log)][: SIZES[-1]]
    assert layout.value(200).read_bytes() == LARGE
    assert layout.checkpoints.read_bytes().count(b"\n") == len(SIZES)
    code, output = verified(layout.folder)
    assert code == 0, output
    assert run("verify", "--policy", a_policy(tmp_path), url=database_url)[0] == 0


def test_an_export_goes_on_where_it_was(log: Database, database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert run("export", folder, url=database_url)[0] == 0
    kept = (folder / "public/tile/entries/001").stat().st_ino
    append(log, [a_fact(2000 + number) for number in range(300)])
    assert run("export", folder, url=database_url)[0] == 0
    assert (folder / "public/tile/entries/001").stat().st_ino == kept
    assert not list(folder.rglob("*.p/8*"))
    assert verified(folder)[0] == 0
    for removed in ("public/checkpoint", "public/tile/0/001", "records/001.jsonl", "checkpoints.jsonl"):
        (folder / removed).unlink()  # as an interruption leaves it
    assert verified(folder)[0] == 2
    assert run("export", folder, url=database_url)[0] == 0
    assert verified(folder)[0] == 0


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("end", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 130)])
def test_an_export_that_was_ended_goes_on(
    database: Database, database_url: str, tmp_path: Path, end: signal.Signals, code: int
) -> None:
    open_log(database)
    append(database, [a_fact(number) for number in range(5000)])
    folder = tmp_path / "out"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
    command = [sys.executable, "-m", "services.audit", "export", str(folder)]
    process = subprocess.Popen(command, env=kept | {"APP_DATABASE_URL": database_url})
    deadline = time.monotonic() + KILLED_WITHIN_S
    while not (folder / "public/tile/entries/001").exists():
        assert time.monotonic() < deadline, f"nothing is exported: {list(tmp_path.rglob('*'))}"
    process.send_signal(end)
    assert process.wait(KILLED_WITHIN_S) == code
    assert verified(folder)[0] == 2
    assert run("export", folder, url=database_url)[0] == 0
    assert verified(folder)[0] == 0


@pytest.mark.usefixtures("log")
def test_a_changed_large_value_and_other_text_for_the_same_record_are_found(database_url: str, tmp_path: Path) -> None:
    assert run("export", tmp_path / "out", url=database_url)[0] == 0
    value, records = tmp_path / "out/values/200", tmp_path / "out/records/000.jsonl"
    value.write_bytes(LARGE[:-1] + b"x")
    assert "at position 200: its value is not what" in verified(tmp_path / "out")[1]
    value.write_bytes(LARGE)
    records.write_bytes(records.read_bytes().replace(b'"position":7,', b'"position": 7,'))
    assert "line 8: it is not the only JSON" in verified(tmp_path / "out")[1]


@pytest.mark.usefixtures("log")
def test_the_policy_decides_which_export_is_trusted(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert run("export", folder, url=database_url)[0] == 0
    assert verified(folder, f"log {OTHER.vkey}\nquorum none\n")[0] == 5
    assert verified(folder, f"log {LOG.vkey}\nwitness w {OTHER.cosignature_vkey}\nquorum w\n")[0] == 5
    assert run("verify", folder)[0] == 2


def test_a_folder_of_something_else_is_refused(log: Database, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("mine")
    code, output = run("export", tmp_path / "other", url=database_url)
    assert (code, "is not empty, and no export" in output) == (2, True), output
    folder = tmp_path / "out"
    assert run("export", folder, url=database_url)[0] == 0
    (folder / "origin").write_text("example.org/other\n")
    code, output = run("export", folder, url=database_url)
    assert (code, "is an export of 'example.org/other'" in output) == (2, True), output
    (folder / "origin").write_text(f"{ORIGIN}\n")
    with log.write() as connection:
        connection.exec_driver_sql("UPDATE checkpoints SET published_at = NULL WHERE size > 300")
    code, output = run("export", folder, url=database_url)
    assert (code, "does not continue the export" in output) == (2, True), output


def test_without_a_published_checkpoint_there_is_nothing_to_export(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    open_log(database)
    record_all(database, a_fact(0))
    code, output = run("export", tmp_path / "out", url=database_url)
    assert (code, "no checkpoint is published yet" in output) == (2, True), output
    assert not (tmp_path / "out").exists()
