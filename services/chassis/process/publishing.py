"""Assembly of a service that publishes events from an outbox.

Apart from `assembly`, so that a service without an outbox declares none of its tables.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

import msgspec

from services.chassis.kafka.client_metrics import OPERATIONS, RELAY
from services.chassis.kafka.latest_published import LatestPublished
from services.chassis.kafka.rights.topic_rights import TopicRights
from services.chassis.messages.ids import new_holder
from services.chassis.outbox.event_publisher import Outbox, Records
from services.chassis.outbox.lease import Leases
from services.chassis.outbox.operator_relay import OperatorRelay, OperatorTopic
from services.chassis.outbox.relay import Relay
from services.chassis.process import operator_metrics
from services.chassis.process.assembly import Assembly
from services.chassis.process.runtime import Component
from services.contracts import operations


class Publication(msgspec.Struct, frozen=True):
    """Publication from the outbox: the records of an event, and the topic that has every event.

    `source` is the `ce_source` of that topic's records. `partitions` has the number for each topic of the records: the
    relay publishes nothing while a topic has another one, as keys would move and lose their order.
    """

    topic: str
    partitions: Mapping[str, int]
    source: str
    records: Records


class PublishingAssembly(Assembly):
    """Builds the components of a service with an outbox."""

    def relay(self, publication: Publication, lease: timedelta) -> Relay:
        """Return the outbox relay; `lease` is how long it may publish without renewing its right to."""
        partitions = publication.partitions
        rights = TopicRights(write=tuple(partitions), read=(publication.topic,))
        outbox = Outbox(
            database=self.database,
            leases=Leases(self.database, new_holder(), lease),
            records=publication.records,
            open_producer=self.producers(self.group, RELAY, rights, partitions),
            newest=LatestPublished(self.settings, publication.topic, partitions[publication.topic], publication.source),
            check_topics=partial(self.admin.require_partitions, partitions),
        )
        return Relay(outbox, self.appended, self.telemetry)

    def operator_relay(self, relay: Relay) -> Component:
        """Return the relay of operators' actions, which publishes while `relay` leads."""
        operator_metrics.register(self.database, self.telemetry)
        open_producer = self.producers(f"{self.group}-operations", OPERATIONS, TopicRights(write=(operations.TOPIC,)))
        target = OperatorTopic(self.group, relay.leads, open_producer)
        return OperatorRelay(target, self.database, self.telemetry)
