"""A decoder that was wrong for one type: a thousand records are dead, it is corrected, and an operator retries them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import Connection, select

from services.chassis.consumer.decoding import Decoder
from services.chassis.consumer.held.held_records import HeldRecords
from services.chassis.consumer.held.reasons import State
from services.chassis.consumer.held.record import ATTEMPTS
from services.chassis.consumer.held.selection import Filters, count_requested, find
from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.subscription import Outcome, Subscription
from services.chassis.database.database import Database
from services.chassis.messages.record import Record, TopicPartition
from services.console.held import actions
from services.console.held.options import RetryOptions
from services.contracts.catalog import TYPES, USER_NOTICES, USER_STATE
from services.contracts.shapes import readers
from services.contracts.user import UserNotice
from services.notification.handlers import Handler, Tools
from services.notification.store.batch import Rows
from services.notification.store.tables import intents, replica
from tests.support.builders import NOW, a_telemetry, ids
from tests.support.console_process import console
from tests.support.fakes import FakeBroker
from tests.support.killed import KILLED, through
from tests.support.notification_builders import a_notice_record, a_state, a_state_record, prepare

USERS, VERSIONS = 250, 4
STATE, NOTICE = TopicPartition(USER_STATE.name, 0), TopicPartition(USER_NOTICES.name, 0)
PEOPLE = [f"01936d5e-0000-7000-8000-{number:012}" for number in range(USERS)]


class Notification:
    """The consumer of the notification service over a fake broker and a real database."""

    def __init__(self, database: Database) -> None:
        self.database = prepare(database)
        self._decoder = Decoder({name: TYPES[name] for name in ("user.state", "user.notice")})
        self._handler = Handler(Tools(self._decoder, Rows, ids(), lambda: NOW, timedelta(days=45)))
        self.handled: dict[str, list[int]] = defaultdict(list)
        self.broker = FakeBroker()
        for topic in (STATE.topic, NOTICE.topic):
            self.broker.create(topic, f"id-of-{topic}"[:22])
        self.start()

    def start(self) -> None:
        """Start the consumer, as a new version does."""
        held = HeldRecords(lambda: NOW, 10_000, 10_000)
        topics, broker = (STATE.topic, NOTICE.topic), self.broker
        subscription = Subscription("group", topics, self._handle, broker.join_group, broker, held)
        self._consumer = Consumer(subscription, self.database, a_telemetry())
        self._member = self._consumer._join()  # noqa: SLF001  # a test processes single batches

    def break_decoder(self, *, broken: bool) -> None:
        """Let the decoder expect the shape of another type for states, or the right one."""
        shape = UserNotice if broken else TYPES["user.state"]
        self._decoder._readers["user.state"] = readers("user.state", shape)  # noqa: SLF001  # the fault

    def write(self, place: TopicPartition, records: Sequence[Record]) -> None:
        log = self.broker.logs[place]
        log += [msgspec.structs.replace(record, partition=0, offset=len(log) + at) for at, record in enumerate(records)]

    def work(self, rounds: int = 1) -> None:
        for _ in range(rounds):
            self._consumer.process_batch(self._member)

    def work_off(self) -> None:
        """Let the consumer retry all that is requested."""
        for _ in range(100):
            with self.database.read() as connection:
                if not count_requested(connection):
                    return
            self.work()
        raise AssertionError("retries are still requested")

    def held(self, *states: State) -> int:
        with self.database.read() as connection:
            return len(find(connection, Filters(states or (State.PARKED, State.DEAD))))

    def _handle(self, connection: Connection, records: Sequence[Record]) -> Outcome:
        outcome = self._handler(connection, records)
        refused = {refusal.record.place for refusal in outcome.refused}
        for record in records:
            if record.topic == STATE.topic and record.place not in refused:
                self.handled[(record.key or b"").decode()].append(int(record.header("ce_subjectversion") or 0))
        return outcome


@pytest.fixture
def notification(database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Notification:
    monkeypatch.setenv("APP_DATABASE_URL", database_url)
    notification = Notification(database)
    notification.break_decoder(broken=True)
    versions = range(1, VERSIONS + 1)
    notification.write(STATE, [a_state_record(a_state(version, user_id=one)) for version in versions for one in PEOPLE])
    notification.write(NOTICE, [a_notice_record(1, user_id=one) for one in PEOPLE])
    notification.work(4)
    assert (notification.held(State.DEAD), notification.handled) == (USERS * VERSIONS, {})
    return notification


def retry(key: str | None = None, *, force: bool = False) -> None:
    actions.retry(RetryOptions(cause="invalid", key=key, yes=True, wait=False, force=force))


def test_a_thousand_dead_records_are_applied_once_and_in_order_by_a_retry_that_was_killed_halfway(
    notification: Notification, database_url: str
) -> None:
    notification.break_decoder(broken=False)
    newer = PEOPLE[::2]
    notification.write(STATE, [a_state_record(a_state(VERSIONS + 1, user_id=one, name="Newer")) for one in newer])
    notification.work()
    halfway = through("after", 3, "services.console.held.operator_actions:record")  # in the third transaction of five
    command = ("held", "retry", "--cause", "invalid", "--yes", "--no-wait")
    assert console({"APP_DATABASE_URL": database_url}, *command, through=halfway) == (KILLED, "")
    notification.work_off()
    assert notification.held(State.APPLIED) == 400
    retry()
    notification.work_off()
    notification.work(2)
    assert (notification.held(), notification.held(State.APPLIED)) == (0, USERS * VERSIONS)
    in_order = list(range(1, VERSIONS + 1))
    for user_id in PEOPLE:
        newest = [VERSIONS + 1] if user_id in newer else []
        assert notification.handled[user_id] == newest + in_order, "each once, and in the order of its key"
    with notification.database.read() as connection:
        found = {row.user_id: row.version for row in connection.execute(select(replica))}
        assert found == {one: VERSIONS + (one in newer) for one in PEOPLE}, "an older state overwrote a newer one"
        queued = Counter(row.user_id for row in connection.execute(select(intents.c.user_id)))
        assert queued == dict.fromkeys(PEOPLE, 1), "an effect is missing, or there twice"


def test_three_failures_stop_the_retries_until_force(notification: Notification) -> None:
    key = PEOPLE[0]
    for _ in range(ATTEMPTS):
        retry(key)
        notification.work_off()
    with notification.database.read() as connection:
        assert {one.attempts for one in find(connection, Filters(key=key))} == {ATTEMPTS}
    notification.break_decoder(broken=False)
    retry(key)
    notification.work(2)
    assert notification.held(State.DEAD) == USERS * VERSIONS
    retry(key, force=True)
    notification.work_off()
    assert notification.held(State.APPLIED) == VERSIONS


def test_nothing_dead_is_retried_without_a_request(notification: Notification) -> None:
    notification.break_decoder(broken=False)
    notification.start()
    notification.work(3)
    assert notification.held(State.DEAD) == USERS * VERSIONS
