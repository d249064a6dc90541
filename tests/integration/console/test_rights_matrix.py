"""Every cell of principal, resource and operation on a real broker: zero extra, zero missing; mistakes are found."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from services.chassis.kafka.access.acls import AccessAdmin, Acl
from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Outgoing
from services.console.rights.table import Table
from services.contracts.access import PRINCIPALS
from services.contracts.catalog import TOPICS
from services.workbench.polling import until
from tests.support.access_broker import AccessBroker, running
from tests.support.rights_matrix import OPERATIONS, Outcome, by_doing, by_word

# Another prefix than the broker's administrator has: here `topics` is no super user, so its cells are tried as well.
TABLE = Table("matrix-", "matrix.")
STRANGER = "stranger"  # has a login and no rights
PASSWORD = "of-the-matrix"  # noqa: S105  # of the tests
GONE = Acl("User:matrix-notification", "topic", "user.state.v1", "Read")
BEYOND = Acl("User:matrix-user", "topic", "notification.events.v1", "Write")
CELLS = sum(len(OPERATIONS[kind]) for kind, _ in TABLE.operations(STRANGER))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessBroker]:
    with running(tmp_path_factory.mktemp("matrix")) as broker:
        settings = broker.settings("topics")
        KafkaAdmin(settings, "test").ensure(TOPICS)
        admin = AccessAdmin(settings, "test")
        admin.add(TABLE.rows())
        admin.admit({TABLE.login(name): PASSWORD for name in (*PRINCIPALS, STRANGER)})
        producer = Producer(settings, "test")
        producer.publish([Outgoing(topic.name, b"%d" % key, b"{}", []) for topic in TOPICS for key in range(40)])
        producer.close()
        await_word(broker, [])
        yield broker


def clients(broker: AccessBroker) -> dict[str, KafkaSettings]:
    """Return the settings of each principal, and of one without rights."""
    settings = broker.settings("topics")
    return {
        name: replace(settings, kafka_user=TABLE.login(name), kafka_password=PASSWORD)
        for name in (*PRINCIPALS, STRANGER)
    }


def await_word(broker: AccessBroker, wrong: list[str]) -> None:
    """Wait until the broker has heard of rights and users, and its coordinator of groups is there."""
    asked = partial(by_word, clients(broker), TABLE)
    until("the rights", asked, lambda seen: sorted(seen.wrong) == wrong, passing=BrokerUnavailableError)


def test_the_broker_authorizes_each_principal_for_the_table_and_nothing_else(broker: AccessBroker) -> None:
    outcome = by_word(clients(broker), TABLE)
    assert outcome == Outcome(CELLS * (len(PRINCIPALS) + 1), [])


def test_a_super_user_may_everything(broker: AccessBroker) -> None:
    outcome = by_word({"topics": broker.settings("topics")}, TABLE, super_users=["topics"])
    assert outcome == Outcome(CELLS, [])


def test_one_right_too_many_and_one_too_few_are_found_by_name_both_ways(broker: AccessBroker) -> None:
    admin = AccessAdmin(broker.settings("topics"), "test")
    admin.add([BEYOND])
    admin.remove([GONE])
    extra = "extra: user Write topic notification.events.v1"
    missing = [f"missing: notification {operation} topic user.state.v1" for operation in ("Read", "Describe")]
    expected = sorted([extra, *missing])
    try:
        await_word(broker, expected)
        assert sorted(by_doing(clients(broker), TABLE).wrong) == expected
    finally:
        admin.add([GONE])
        admin.remove([BEYOND])
    await_word(broker, [])


def test_what_is_allowed_works_and_everything_else_is_refused(broker: AccessBroker) -> None:
    outcome = by_doing(clients(broker), TABLE)
    assert outcome.wrong == []
    assert outcome.cells > 500
