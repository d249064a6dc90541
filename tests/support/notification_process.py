"""A notification service in a process of its own, run through a program that breaks it, and what it has stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import text

from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.producer import Producer
from services.chassis.messages.record import Outgoing, Record, TopicPartition
from services.contracts.catalog import DEAD_LETTERS
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Process
from services.workbench.local.system import service
from services.workbench.polling import until
from tests.support.broker import settings
from tests.support.killed import KILLED
from tests.support.notification_builders import prepare

LETTERS = TopicPartition(DEAD_LETTERS["notification"].name, 0)
# On the broker: the partitions of a killed process are free after two seconds.
SHORT_SESSIONS = {
    "group.consumer.min.session.timeout.ms": "2000",
    "group.consumer.session.timeout.ms": "2000",
    "group.consumer.min.heartbeat.interval.ms": "400",
    "group.consumer.heartbeat.interval.ms": "400",
}
SHORT_LEASE = {"APP_KAFKA_MESSAGE_TIMEOUT": "2s", "APP_RELAY_LEASE": "4s"}


class NotificationProcess:
    """The service on a broker and a database; its mails go nowhere."""

    def __init__(self, broker: str, url: str, folder: Path) -> None:
        self.client = settings(broker)
        self.database = prepare(Database(url))
        http, metrics, nobody = map(str, free_ports(3))
        environment = {
            "APP_KAFKA_BOOTSTRAP_SERVERS": broker,
            "APP_DATABASE_URL": url,
            "APP_HTTP_HOST": HOST,
            "APP_HTTP_PORT": http,
            "APP_METRICS_PORT": metrics,
            "APP_SMTP_HOST": HOST,
            "APP_SMTP_PORT": nobody,
            "APP_CONSUMER_DEAD_LETTER_CEILING": "10000",
        }
        self._program = service("notification", environment | SHORT_LEASE, folder)

    @contextmanager
    def running(self, *through: str) -> Iterator[Process]:
        """Run it through another program; it is killed at the end."""
        python, dash_m, module = self._program.argv
        process = Process(msgspec.structs.replace(self._program, argv=(python, dash_m, *through, module)))
        try:
            yield process
        finally:
            process.kill()

    def run_until_killed(self, *through: str) -> None:
        """Run it through a program that kills it."""
        with self.running(*through) as process:
            await_kill(process)

    def write(self, *records: Record) -> None:
        """Write records to their topics."""
        producer = Producer(self.client, "test")
        producer.publish([Outgoing(one.topic, one.key, one.value, one.headers or []) for one in records])
        producer.close()

    def count(self, query: str) -> int:
        """Return the number of rows of a table, with a condition."""
        with self.database.read() as connection:
            return int(connection.scalar(text(f"SELECT count(*) FROM {query}")) or 0)  # noqa: S608  # our own

    def letters(self) -> int:
        """Return the number of letters on the dead-letter topic."""
        return KafkaAdmin(self.client, "test").ends([LETTERS])[LETTERS]


def await_kill(process: Process) -> None:
    """Wait until a process has killed itself."""
    code = until("the process has killed itself", process.exit_code, lambda code: code is not None)
    assert code == KILLED, process.program.log.read_text()[-3000:]
