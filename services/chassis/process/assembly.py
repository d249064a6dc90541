"""Assembly of a service: builds the components that every service has and fixes their order of start and stop.

A `bootstrap.py` creates one `Assembly`, asks it for components, adds its own and returns `plan`.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.offset_tracker import Broker
from services.chassis.consumer.subscription import Handler, Signal, Subscription
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.broker_health_check import BrokerHealthCheck
from services.chassis.kafka.client_metrics import CONSUMER, ClientMetrics
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.rights.topic_rights import RightsCheck, TopicRights
from services.chassis.process.runtime import Component, Plan
from services.chassis.process.serving import BaseAssembly, Prepare
from services.chassis.process.settings import ServiceSettings
from services.chassis.telemetry.telemetry import Telemetry

if TYPE_CHECKING:  # its import declares a table, which a service that holds no records does not have
    from services.chassis.consumer.held.held_records import HeldRecords

GATHER_S = 0.05


class Consumption(msgspec.Struct, frozen=True):
    """Topics and handler of a consumer. Without `held` a record that it cannot apply stops it.

    `partitions` holds the expected number by topic; a topic without an entry is not checked. Each commit sets
    `commit_signals` and `Assembly.appended`. `broker` is `Assembly.admin` if it is not given. A service is ready
    without partitions if they are not `needed`. While records arrive steadily, a batch has those of `gather_s` seconds.
    """

    topics: tuple[str, ...]
    handle: Handler
    held: "HeldRecords | None" = None
    partitions: Mapping[str, int] = {}
    commit_signals: tuple[Signal, ...] = ()
    broker: Broker | None = None
    needed: bool = True
    gather_s: float = GATHER_S


class Assembly(BaseAssembly):
    """Builds the components of one service. `group` names its consumer group and its Kafka clients.

    `appended` wakes the relay: set it after a commit that appends events.
    """

    def __init__(self, group: str, revisions: Path, settings: ServiceSettings, telemetry: Telemetry) -> None:
        super().__init__(revisions, settings, telemetry)
        self.group = group
        self.settings = settings
        self.admin = KafkaAdmin(settings, group)
        self.appended = threading.Event()
        self._rights_check = RightsCheck(settings, self.admin)
        self._rights = TopicRights()

    def consumer(self, consumption: Consumption) -> Consumer:
        """Return the batch consumer."""
        subscription = Subscription(
            group=self.group,
            topics=consumption.topics,
            handle=consumption.handle,
            join_group=partial(GroupConsumer, self.settings, metrics=ClientMetrics(CONSUMER, self.telemetry.metrics)),
            broker=consumption.broker or self.admin,
            held=consumption.held,
            batch=self.settings.consumer_batch,
            commit_signals=(self.appended, *consumption.commit_signals),
            partitions=consumption.partitions,
            needed=consumption.needed,
            gather_s=consumption.gather_s,
        )
        return Consumer(subscription, self.database, self.telemetry)

    def plan(self, components: Sequence[Component], *prepare: Prepare, needs_broker: bool) -> Plan:
        """Return the plan: schema first, then `prepare`; components stop in order, health checks last.

        With `needs_broker` the service is not ready before the broker has answered once.
        """
        rights = partial(self._rights_check.require, self._rights)
        check = BrokerHealthCheck(self.admin, self.telemetry, needed=needs_broker, require_rights=rights)
        return self._plan([*components, check], prepare)

    def producers(
        self,
        client: str,
        part: str,
        rights: TopicRights,
        partitions: Mapping[str, int] = {},  # only read
    ) -> Callable[[], Producer]:
        """Return a function that opens a producer once the broker grants all `rights`; it raises ConnectionError.

        `part` labels the producer's metrics, `partitions` are checked.
        """
        self._rights += rights
        metrics = ClientMetrics(part, self.telemetry.metrics)

        def opened() -> Producer:
            self._rights_check.require(rights)
            return Producer(self.settings, client, metrics, partitions)

        return opened
