"""litewitness, a witness of another maker, cosigns the audit log beside ours; without it nothing more is served."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from services.audit.settings import Settings
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import variables
from services.chassis.transparency import key_file
from services.chassis.transparency.policy import Policy
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.system import System, clean_environment, service
from services.workbench.polling import until
from tests.judges import litewitness
from tests.judges.litewitness import Litewitness
from tests.judges.served_log import NOT_SERVED, ServedLog
from tests.support import witnesses
from tests.support.broker import settings, write
from tests.support.witnessed_log import WitnessedLog

pytestmark = pytest.mark.long
ORIGIN = Settings.audit_origin
TOPIC = "user.events.v1"
READY_S = 60.0


class World:
    """An audit service, and two witnesses, both of which its policy needs."""

    def __init__(self, broker: str, folder: Path, other: Litewitness) -> None:
        self.broker, self.other = broker, other
        log = WitnessedLog(ORIGIN)
        log.signer = key_file.make(folder / "log.key", ORIGIN)
        other.know(log.signer.verifier)
        own = witnesses.a_program(f"sqlite:///{folder}/witness.db", folder, log)
        vkey = key_file.read(folder / "witness.key", witnesses.NAME).cosignature_vkey
        self.database = folder / "audit.db"
        self.policy = folder / "policy"
        self.policy.write_text(
            f"log {log.signer.vkey}\n"
            f"witness own {vkey} http://{HOST}:{own.environment['APP_HTTP_PORT']}\n"
            f"witness other {other.vkey} {other.url}\n"
            "group both all own other\nquorum both\n"
        )
        http, metrics = free_ports(2)
        self.log = ServedLog(http)
        self.environment = {
            **variables(KafkaSettings, settings(broker)),
            "APP_DATABASE_URL": f"sqlite:///{self.database}",
            "APP_HTTP_HOST": HOST,
            "APP_HTTP_PORT": str(http),
            "APP_METRICS_PORT": str(metrics),
            "APP_AUDIT_KEY_FILE": str(folder / "log.key"),
            "APP_AUDIT_POLICY_FILE": str(self.policy),
        }
        self.audit_log = folder / "audit.log"
        self.system = System([own, service("audit", self.environment, folder)])

    def start(self) -> None:
        """Start ours, and wait until they are ready."""
        self.system.start("witness", "audit")
        self.system.wait_ready(READY_S, "witness", "audit")

    def write(self, *values: bytes) -> None:
        """Write records, each of which becomes an entry."""
        write(self.broker, TOPIC, *values)

    def served(self, size: int) -> bytes:
        """Wait until a checkpoint of so many entries at least is served, and return its note."""
        until("the checkpoint grows", self.log.size, lambda found: found >= size, passing=NOT_SERVED)
        return self.log.note()

    def entries(self) -> int:
        """Count the entries that are stored, signed or not."""
        with closing(sqlite3.connect(self.database)) as connection:
            (found,) = connection.execute("SELECT count(*) FROM entries").fetchone()
        return int(found)

    def cosigned_by(self, note: bytes) -> Sequence[str]:
        """Return the witnesses that cosigned a note, which fulfils the policy. Raises NoteError."""
        return Policy.parse(self.policy.read_text()).check(note).cosigned_by

    def verify(self) -> subprocess.CompletedProcess[str]:
        """Run the audit service's own verification."""
        argv = (sys.executable, "-m", "services.audit", "verify", "--policy", str(self.policy))
        return subprocess.run(
            argv, env=clean_environment(self.environment), capture_output=True, text=True, check=False
        )


@pytest.fixture
def world(broker: str, tmp_path: Path) -> Iterator[World]:
    with litewitness.running() as other:
        world = World(broker, tmp_path, other)
        with world.system:
            world.start()
            yield world


def test_both_witnesses_cosign_and_without_one_nothing_more_is_served_until_it_returns(world: World) -> None:
    world.write(b"one", b"two")
    first = world.served(2)
    assert world.cosigned_by(first) == ("own", "other")
    assert world.verify().returncode == 0, world.verify().stderr
    before = len(world.audit_log.read_text())
    world.other.kill()
    world.write(b"three")
    until("audit waits for its second witness", lambda: "both is not reached" in world.audit_log.read_text()[before:])
    last = world.log.note()  # not the first: entries of what was on the topics before came since, too
    size, stored = world.log.checkpoint.size, world.entries()
    world.write(b"four")
    until("the record is an entry", world.entries, lambda found: found > stored)
    assert world.log.note() == last
    world.other.start()
    assert world.cosigned_by(world.served(size + 1)) == ("own", "other")
    assert world.verify().returncode == 0, world.verify().stderr
