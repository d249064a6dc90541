"""Notification's replica rebuilt from its topic on a real broker and swapped; on both databases."""

import pytest
from sqlalchemy import delete, select, update

from services.chassis.consumer import offset_store
from services.chassis.consumer.offset_store import Position
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.producer import Producer
from services.chassis.messages.ids import new_id
from services.chassis.messages.record import Outgoing, Record, TopicPartition
from services.chassis.outbox import event_store
from services.chassis.outbox.operator_events import Operator
from services.chassis.projection.rebuild import Rebuild
from services.chassis.projection.shadow import Shadow
from services.contracts.catalog import USER_STATE
from services.notification import bootstrap
from services.notification.settings import Settings
from services.notification.store.tables import intents, replica
from tests.support.command_blocks import blocks_for, execute
from tests.support.console_process import console
from tests.support.notification_builders import a_handler, a_state, a_state_record, a_tombstone, prepare

pytestmark = pytest.mark.long

PARTITIONS = [TopicPartition(USER_STATE.name, number) for number in range(USER_STATE.partitions)]


class Service:
    """A notification store that has consumed what is on the broker, which other tests fill as well."""

    def __init__(self, broker: str, database: Database) -> None:
        self.database = prepare(database)
        self.settings = Settings(
            kafka_bootstrap_servers=broker, database_url=str(database.engine.url), smtp_host="nobody.example.org"
        )
        self._handler = a_handler(new_id)

    def publish(self, *records: Record) -> None:
        """Publish records, and consume them."""
        producer = Producer(self.settings, "test")
        producer.publish([Outgoing(one.topic, one.key, one.value, one.headers or []) for one in records])
        producer.close()
        self.consume(*records)

    def consume(self, *records: Record) -> None:
        """Handle records as the live consumer does, and store the present ends as its offsets."""
        admin = KafkaAdmin(self.settings, "test")
        ends, ids = admin.ends(PARTITIONS), admin.ids([USER_STATE.name])
        with self.database.write() as connection:
            self._handler(connection, records)
            known = offset_store.read(connection, PARTITIONS)
            fresh = {place: Position(ids[USER_STATE.name], end) for place, end in ends.items()}
            offset_store.advance(connection, {p: known[p] for p in fresh if p in known}, fresh)

    def versions(self, ids: list[str]) -> dict[str, int]:
        """Return the versions of users, 0 for an erased one."""
        with self.database.read() as connection:
            rows = connection.execute(select(replica).where(replica.c.user_id.in_(ids))).all()
        return {row.user_id: 0 if row.state is None else row.version for row in rows}


@pytest.fixture
def service(broker: str, database: Database) -> Service:
    return Service(broker, database)


def test_a_spoilt_replica_is_corrected_and_users_erased_long_ago_stay_erased(service: Service) -> None:
    ada, bob, eve, old = (new_id() for _ in range(4))
    service.publish(*(a_state_record(a_state(1, user_id=one)) for one in (ada, bob, eve)), a_tombstone(2, eve))
    service.consume(a_tombstone(3, old))  # its tombstone is not on the topic any more
    with service.database.write() as connection:
        connection.execute(update(replica).where(replica.c.user_id == ada).values(version=7))
        connection.execute(delete(replica).where(replica.c.user_id == bob))
    [projection] = bootstrap.build_projections(service.settings, service.database)
    with projection.open_source(Shadow(projection).tables) as source:
        run = Rebuild(service.database, projection, source, lambda *_: None)
        run.fill()
        service.publish(a_state_record(a_state(2, user_id=bob)))
        assert run.compare().differing > 0
        service.publish(a_state_record(a_state(3, user_id=bob)))
        run.swap(Operator("ada", "here"), 1)
    assert service.versions([ada, bob, eve, old]) == {ada: 1, bob: 3, eve: 0, old: 0}
    with service.database.read() as connection:
        assert connection.execute(select(intents)).all() == []
        assert event_store.read(connection, 0, 10) == []


def test_the_documented_commands_report_the_difference_swap_drop_the_replaced_table_and_compare(
    service: Service,
) -> None:
    ada = new_id()
    service.publish(a_state_record(a_state(1, user_id=ada)))
    with service.database.write() as connection:
        connection.execute(update(replica).where(replica.c.user_id == ada).values(version=7))
    url = service.database.engine.url.render_as_string(hide_password=False)
    where = {"APP_KAFKA_BOOTSTRAP_SERVERS": service.settings.kafka_bootstrap_servers}

    code, output = console(where, "rebuild", "replica", "--check", "--database-url", url)
    assert code == 1, output
    (block,) = blocks_for(__file__)
    code, output = execute(block.text, {**where, "DATABASE_URL": url})
    assert code == 0, output
    assert service.versions([ada]) == {ada: 1}
    reports = "differ: the log wins\n", "swapped: replica", "dropped: replica_replaced\n", "at one position: equal\n"
    places = [output.find(report) for report in reports]
    assert places == sorted(places), output
    assert min(places) >= 0, output
