"""`restore --from-export`, the old order of a lost log: the drills with an empty database and with an older backup."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.audit.__main__ import app
from services.audit.notary import checkpoint_store
from services.audit.notary.guard import ForkedLogError
from services.audit.notary.notary import Notary, Outside, SignedLog
from services.audit.notary.publication import Publication
from services.audit.notary.sources import file_records
from services.audit.tree import node_store
from services.chassis.consumer import offset_store
from services.chassis.database.database import Database
from services.chassis.messages.record import TopicPartition
from services.chassis.telemetry.telemetry import telemetry
from services.chassis.transparency.tree import TILE_WIDTH
from services.workbench.local.system import clean_environment
from tests.support.audit_log import ORIGIN, a_fact, all_entries, open_log, record_all
from tests.support.crash.at import MOMENTS, through
from tests.support.fakes import FakeLog
from tests.support.in_process import invoke
from tests.support.killed import KILLED
from tests.support.signed_audit_log import LOG, OTHER, POLICY, a_policy, append

SIZE, BACKUP = 600, 300
FACTS = [a_fact(number // 3, partition=number % 3) for number in range(SIZE)]
FACTS[200] = a_fact(66, partition=2, value=b"{" + b" " * 3_000_000)  # in a file of its own
PUBLISHED = "checkpoint"
KILLED_WITHIN_S = 60.0


def run(*argv: object, url: str) -> tuple[int, str]:
    done = invoke(app, *argv, url=url)
    return done.exit_code, done.output


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """The export of a log that was lost, and its checkpoint in the file of the notary."""
    url = f"sqlite:///{tmp_path}/lost.db"
    lost = Database(url)
    open_log(lost)
    append(lost, FACTS)
    with lost.read() as connection:
        published = checkpoint_store.newest_published(connection)
    assert published
    (tmp_path / PUBLISHED).write_bytes(published.note)
    lost.close()
    folder = tmp_path / "export"
    assert run("export", folder, url=url)[0] == 0
    return folder


def notary(database: Database, folder: Path) -> Notary:
    """Return the notary of the log, which knows the checkpoint in the file."""
    file = folder / PUBLISHED
    publication = Publication(ORIGIN, FakeLog().open_producer, file)
    return Notary(
        SignedLog(database, LOG), Outside(publication, None, (lambda: file_records(file, ORIGIN),)), telemetry("audit")
    )


def size(database: Database) -> int:
    with database.read() as connection:
        return node_store.edge_of(connection).size


def restored(export: Path, url: str, policy: str = POLICY) -> tuple[int, str]:
    return run("restore", "--from-export", export, "--policy", a_policy(export.parent, policy), url=url)


@pytest.mark.parametrize("kept", [0, BACKUP])
def test_the_old_order_gives_the_tree_that_was_published_and_the_log_is_signed_again(
    export: Path, database: Database, database_url: str, kept: int
) -> None:
    if kept:  # an older backup, on which the service has not run
        open_log(database)
        record_all(database, *FACTS[:kept])
    code, output = restored(export, database_url)
    assert (code, f"{SIZE - kept:,} entries added to {kept:,}" in output) == (0, True), output
    lost = Database(f"sqlite:///{export.parent}/lost.db")
    assert all_entries(database) == all_entries(lost)
    lost.close()
    signing = notary(database, export.parent)
    signing.step()
    record_all(database, a_fact(SIZE // 3))
    signing.step()
    assert f"\n{SIZE + 1}\n".encode() in (export.parent / PUBLISHED).read_bytes()
    with database.read() as connection:
        places = [TopicPartition("user.events.v1", partition) for partition in range(3)]
        assert {one.next_offset for one in offset_store.read(connection, places).values()} == {SIZE // 3}


@pytest.mark.long
@pytest.mark.parametrize("when", MOMENTS)
def test_a_restore_that_is_killed_at_its_first_commit_goes_on(
    export: Path, database: Database, database_url: str, when: str
) -> None:
    crash = through(when, "services.audit.restore.from_export:_append")
    policy = str(a_policy(export.parent, POLICY))
    argv = (sys.executable, "-m", *crash, "services.audit", "restore", "--from-export", str(export), "--policy", policy)
    environment = clean_environment({"APP_DATABASE_URL": database_url})
    assert subprocess.run(argv, env=environment, check=False, timeout=KILLED_WITHIN_S).returncode == KILLED
    assert size(database) == (0 if when == "before" else TILE_WIDTH)
    assert restored(export, database_url)[0] == 0
    with Database(f"sqlite:///{export.parent}/lost.db").read() as connection:
        lost = node_store.edge_of(connection)
    with database.read() as connection:
        assert node_store.edge_of(connection) == lost


def test_a_backup_that_has_read_the_topics_in_another_order_is_refused_by_both(
    export: Path, database: Database, database_url: str
) -> None:
    open_log(database)
    record_all(database, *sorted(FACTS, key=lambda fact: fact.partition))
    with pytest.raises(ForkedLogError, match="restore --from-export"):
        notary(database, export.parent).step()
    code, output = restored(export, database_url)
    assert (code, "not the first ones of the export" in output) == (2, True), output
    assert size(database) == SIZE


def test_an_export_that_is_changed_or_of_an_unknown_key_adds_nothing(
    export: Path, database: Database, database_url: str
) -> None:
    assert restored(export, database_url, POLICY.replace(LOG.vkey, OTHER.vkey))[0] == 1
    assert run("restore", "--from-export", export, url=database_url)[0] == 2
    records = export / "records" / "001.jsonl"
    records.write_bytes(records.read_bytes().replace(b'"partition":1', b'"partition":2', 1))
    code, output = restored(export, database_url)
    assert (code, "the export is not whole" in output) == (1, True), output
    open_log(database)
    assert size(database) == 0


def test_an_export_and_a_backup_are_not_named_at_once(export: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    code, output = run("restore", "--from-export", export, "--after-backup", url=url)
    assert code == 2
    assert "--from-export adds to a backup by itself: leave --after-backup out" in output
