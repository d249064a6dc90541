"""The drill of docs/backup.md: a restored log with another order ends the service, and a new log goes on beside it."""

from functools import partial
from pathlib import Path

import pytest

from services.audit import handlers, store
from services.audit.bootstrap import NAME, READ
from services.audit.chain_heads import Heads
from services.audit.notary import sources
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.latest_published import TopicEnd
from services.chassis.kafka.partition_reader import read_partitions
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import utc_now
from services.chassis.messages.record import partitions_of
from services.chassis.settings.environment import variables
from services.chassis.transparency import key_file, key_set
from services.chassis.transparency.keys import Signer
from services.chassis.transparency.policy import Policy
from services.contracts.catalog import AUDIT_CHECKPOINTS
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Process, Program
from services.workbench.local.system import service
from services.workbench.polling import until
from tests.support import witnesses
from tests.support.audit_log import all_entries, open_log
from tests.support.broker import settings, write
from tests.support.witnessed_log import WitnessedLog, public_keys

pytestmark = pytest.mark.long

OLD, NEW = "example.org/audit-1", "example.org/audit-2"
READY_S = 60.0


class Drill:
    """A broker, a witness, and the files of each log by its origin."""

    def __init__(self, broker: str, folder: Path) -> None:
        self.broker, self.folder = broker, folder
        self.keys: dict[str, Signer] = {}
        self.witness = witnesses.a_program(f"sqlite:///{folder}/witness.db", folder, *self._make_key(OLD))

    def _make_key(self, origin: str) -> list[WitnessedLog]:
        self.keys[origin] = key_file.make(self._file("key", origin), origin)
        logs = [WitnessedLog(known) for known in self.keys]
        for log in logs:
            log.signer = self.keys[log.origin]
        return logs

    def _file(self, kind: str, origin: str) -> Path:
        return self.folder / f"{origin.rpartition('/')[2]}.{kind}"

    def begin(self, origin: str) -> None:
        """Make a key for a new log, and make it known to the witness, as in the page."""
        public_keys(self.folder, *self._make_key(origin))

    def audit(self, origin: str) -> Program:
        """Return the audit service with a log, its own files and database."""
        policy, ports = self._file("policy", origin), free_ports(2)
        url = f"http://{HOST}:{self.witness.environment['APP_HTTP_PORT']}"
        vkey = key_file.read(self.folder / "witness.key", witnesses.NAME).cosignature_vkey
        policy.write_text(key_set.policy(self.keys[origin].vkey, vkey, url))
        environment = {
            **variables(KafkaSettings, settings(self.broker)),
            "APP_DATABASE_URL": self.database(origin),
            "APP_HTTP_HOST": HOST,
            "APP_HTTP_PORT": str(ports[0]),
            "APP_METRICS_PORT": str(ports[1]),
            "APP_AUDIT_ORIGIN": origin,
            "APP_AUDIT_KEY_FILE": str(self._file("key", origin)),
            "APP_AUDIT_POLICY_FILE": str(policy),
            "APP_AUDIT_CHECKPOINT_FILE": str(self._file("checkpoint", origin)),
        }
        return service("audit", environment, self.folder)

    def database(self, origin: str) -> str:
        """Return the URL of a log's database."""
        return f"sqlite:///{self._file('db', origin)}"

    def published(self, origin: str) -> bytes:
        """Wait until a checkpoint of a log is in its file, and return it; it fulfils the log's policy."""
        file = self._file("checkpoint", origin)
        until(f"a checkpoint of {origin}", file.exists)
        Policy.parse(self._file("policy", origin).read_text()).check(file.read_bytes())
        return file.read_bytes()

    def lose_the_order(self) -> None:
        """Replace the old log's database by one that has read the same records in another interleaving."""
        lost = Database(self.database(OLD))
        first = all_entries(lost)[0]
        lost.close()
        for file in self.folder.glob(f"{self._file('db', OLD).name}*"):
            file.unlink()
        places = [place for topic, number in READ.items() for place in partitions_of(topic, number)]
        records = [record for batch in read_partitions(settings(self.broker), places) for record in batch]
        records.sort(key=lambda one: ((one.topic, one.partition) == (first.topic, first.partition), one.offset))
        topic_ids, database = KafkaAdmin(settings(self.broker), NAME).ids(READ), Database(self.database(OLD))
        open_log(database, OLD)
        with database.write() as connection:
            log = store.Log(connection, OLD, Heads())
            handlers.record(log, records, topic_ids.__getitem__, utc_now())
        database.close()


@pytest.fixture
def drill(broker: str, tmp_path: Path) -> Drill:
    return Drill(broker, tmp_path)


def test_a_log_whose_order_is_lost_ends_the_service_and_a_new_log_is_signed_and_cosigned_beside_it(
    drill: Drill,
) -> None:
    for key in (b"a", b"b", b"c", b"d"):
        write(drill.broker, "user.events.v1", b"one", b"two", key=key)
    witness, audit = Process(drill.witness), Process(drill.audit(OLD))
    try:
        audit.wait_ready(READY_S)
        kept = drill.published(OLD)
        audit.kill()
        drill.lose_the_order()
        audit = Process(drill.audit(OLD))
        assert until("the service ends", audit.exit_code, lambda code: code is not None, READY_S / 2) != 0
        log = audit.program.log.read_text()
        assert "another APP_AUDIT_ORIGIN" in log
        assert "docs/backup.md" in log
        assert drill.published(OLD) == kept
        drill.begin(NEW)
        witness.kill()
        witness = Process(drill.witness)
        audit = Process(drill.audit(NEW))
        audit.wait_ready(READY_S)
        drill.published(NEW)
        found = partial(sources.topic_records, TopicEnd(settings(drill.broker), AUDIT_CHECKPOINTS.name))
        assert [len(found(origin)) for origin in (OLD, NEW)] == [1, 1]
    finally:
        audit.kill()
        witness.kill()
