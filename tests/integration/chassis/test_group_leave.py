"""The end of a group's member while its broker is gone: within the time that a service has to stop."""

import time
from pathlib import Path

import pytest

from services.chassis.kafka.group_consumer import LEAVE_S, GroupConsumer
from services.chassis.messages.record import TopicPartition
from services.workbench.local.broker import broker as local_broker
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import System
from services.workbench.polling import until
from tests.support import broker as helper
from tests.support.broker import JARS, READY_S

SESSION_S = 45.0  # librdkafka's `session.timeout.ms`, for which it keeps a commit

pytestmark = pytest.mark.long


def test_a_member_with_an_unanswered_commit_is_closed_without_its_broker_before_its_session_ends(
    tmp_path: Path,
) -> None:
    port, controller = free_ports(2)
    with System([local_broker(port, controller, JARS, tmp_path)]) as system:
        system.start("broker")
        system.wait_ready(READY_S, "broker")
        settings = helper.settings(f"127.0.0.1:{port}")
        topic = helper.create(settings.kafka_bootstrap_servers)
        member = GroupConsumer(settings, "group", [topic], lambda _: {})
        until("an assignment", lambda: member.poll(1, 0.1) or member.assigned)
        system.kill("broker")
        member.commit({TopicPartition(topic, 0): 0})
        started = time.monotonic()
        member.close()
        assert time.monotonic() - started < (LEAVE_S + SESSION_S) / 2
