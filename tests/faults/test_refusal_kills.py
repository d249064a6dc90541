"""SIGKILL of a consumer at each step of one refusal: one row remains, and at least one letter with its origin."""

from pathlib import Path

import msgspec
import pytest

from services.chassis.kafka.partition_reader import PartitionReader
from services.contracts.catalog import TOPICS
from services.workbench.polling import until
from tests.support.broker import read, running
from tests.support.killed import through
from tests.support.notification_builders import a_notice_record, a_state, a_state_record
from tests.support.notification_process import LETTERS, SHORT_SESSIONS, NotificationProcess

pytestmark = pytest.mark.long

HELD = "services.chassis.consumer.held"
MARK = f"{HELD}.letter_store:published"
# Where the process kills itself; then, of the one refusal: rows, rows whose letter is due, letters on the topic.
STEPS = {
    "before the commit": (through("after", 1, f"{HELD}.held_records:HeldRecords.refuse"), (0, 0, 0)),
    "after the commit": (through("before", 1, f"{HELD}.ceiling:RefusalCeiling.count"), (1, 1, 0)),
    "after the publication of the letter": (through("before", 1, MARK), (1, 1, 1)),
    "before the commit of its mark": (through("after", 1, MARK), (1, 1, 2)),
}
PEOPLE = [f"01936d5e-0000-7000-8000-{number:012}" for number in range(4)]
BAD, *GOOD = PEOPLE


def test_a_consumer_killed_at_each_step_of_a_refusal_holds_one_row_and_publishes_at_least_one_letter(
    tmp_path: Path,
) -> None:
    with running(tmp_path / "broker", TOPICS, SHORT_SESSIONS) as (address, _):
        service = NotificationProcess(address, f"sqlite:///{tmp_path}/notification.db", tmp_path)
        states = {one: a_state_record(a_state(user_id=one)) for one in PEOPLE}
        states[BAD] = msgspec.structs.replace(states[BAD], value=b"no JSON")
        service.write(*states.values(), *(a_notice_record(user_id=one) for one in GOOD))
        for step, (where, left) in STEPS.items():
            service.run_until_killed(*where)
            assert of_refusal(service) == left, step
        with service.running():
            until("the letter is marked", lambda: of_refusal(service), lambda found: found == (1, 0, 3))
            until("the other effects", lambda: service.count("intents"), lambda found: found >= len(GOOD))
        assert service.count("intents") == service.count("replica") == len(GOOD), "an effect is missing, or there twice"
        reader = PartitionReader(service.client, "test", {LETTERS: 0})
        letters = read(reader, 3)
        reader.close()
        with service.database.read() as connection:
            (row,) = connection.exec_driver_sql('SELECT topic, partition, "offset", topic_id FROM held').all()
        names = ("topic", "partition", "offset", "topic_id")
        assert [tuple(one.header(f"dlq_{name}") for name in names) for one in letters] == [tuple(map(str, row))] * 3
        service.database.close()


def of_refusal(service: NotificationProcess) -> tuple[int, int, int]:
    return service.count("held"), service.count("held WHERE due"), service.letters()
