"""A dead-letter topic that takes nothing, under load: nothing waits for it, and all letters follow once it does."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import utc_now
from services.chassis.messages.ids import new_id
from services.workbench.faults.poison import RECORDS, records
from services.workbench.local.processes import probe
from services.workbench.local.system import local_programs
from services.workbench.local.trial import READY_S, hastened, settings_on_free_ports, trial
from services.workbench.polling import until
from tests.support.broker import configure, read
from tests.support.notification_process import LETTERS
from tests.support.store_effects import problems, value

pytestmark = pytest.mark.long

USERS = 100
ROUNDS, PAUSE_S = 5, 0.5
BAD = ROUNDS * RECORDS
# The topic takes no record that is older than so many milliseconds: none.
LONGEST_AGE, NONE, ANY = "message.timestamp.before.max.ms", "0", str(2**63 - 1)
ORIGIN = ("dlq_topic", "dlq_partition", "dlq_offset")


def test_letters_that_wait_for_their_topic_delay_no_command_and_no_effect_and_are_published_when_it_heals(
    tmp_path: Path,
) -> None:
    settings = settings_on_free_ports(USERS)
    programs = [hastened(program) for program in local_programs(settings, tmp_path)]
    with trial(settings, programs, tmp_path) as run:
        address = settings.client.kafka_bootstrap_servers
        store = f"sqlite:///{tmp_path}/notification.db"

        def due() -> object:
            return value(store, "SELECT count(*) FROM held WHERE due")

        async def refuse_letters() -> None:
            await asyncio.to_thread(configure, address, LETTERS.topic, LONGEST_AGE, NONE)
            for _ in range(ROUNDS):  # while the other half of the commands is sent
                await asyncio.to_thread(poison, settings.client)
                await asyncio.sleep(PAUSE_S)

        lines = run.play(refuse_letters).lines()
        until("the refusals", due, lambda found: found == BAD)
        assert [line for line in lines if line.missing or line.repeated] == []
        log = tmp_path / "notification.log"
        until("a letter was tried and refused", log.read_text, lambda found: "letters wait" in found, READY_S)
        assert max(command.attempts for command in run.accepted) == 1, "the API refused a command meanwhile"
        metrics = run.system.process("notification").program.environment["APP_METRICS_PORT"]
        assert probe("127.0.0.1", int(metrics), "/readyz") is None
        assert (KafkaAdmin(settings.client, "test").ends([LETTERS])[LETTERS], due()) == (0, BAD)
        configure(address, LETTERS.topic, LONGEST_AGE, ANY)
        until("every letter is published", due, lambda found: found == 0)
        letters = KafkaAdmin(settings.client, "test").ends([LETTERS])[LETTERS]
        reader = PartitionReader(settings.client, "test", {LETTERS: 0})
        assert len({tuple(one.header(name) for name in ORIGIN) for one in read(reader, letters)}) == BAD
        reader.close()
        assert value(store, "SELECT count(*) FROM held WHERE state = 'dead'") == BAD
        assert problems(store, "notification") == {}


def poison(client: KafkaSettings) -> None:
    with closing(Producer(client, "poison")) as producer:
        producer.publish(records("json", utc_now(), [new_id() for _ in range(RECORDS)]))
