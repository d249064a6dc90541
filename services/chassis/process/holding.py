"""Assembly of what a service holds: the records that its consumer cannot apply, and the relay of their letters.

Apart from `assembly`, so that a service that holds nothing declares no table of held records.
"""

from collections.abc import Callable
from datetime import timedelta

from services.chassis.consumer.held import held_metrics
from services.chassis.consumer.held.held_records import HeldRecords
from services.chassis.consumer.held.letter_relay import LetterRelay, LetterTopic
from services.chassis.consumer.settings import HeldRecordSettings
from services.chassis.kafka.client_metrics import DEAD_LETTERS
from services.chassis.kafka.rights.topic_rights import TopicRights
from services.chassis.messages.ids import new_holder
from services.chassis.outbox.lease import Leases
from services.chassis.outbox.sole_lease import SoleLease
from services.chassis.process.assembly import Assembly
from services.chassis.process.runtime import Component

SOLE_LEASE = timedelta(seconds=20)


class Holding:
    """The held records of one service and its dead-letter topic, with the ceilings on both."""

    def __init__(self, assembly: Assembly, topic: str, settings: HeldRecordSettings) -> None:
        self._assembly = assembly
        self._topic = topic
        self.records = HeldRecords(
            assembly.telemetry.clock, settings.consumer_dead_letter_ceiling, settings.consumer_parked_ceiling
        )
        held_metrics.register(self.records, assembly.database, assembly.telemetry)

    def letters(self, leads: Callable[[], bool] | None = None) -> Component:
        """Return the relay of letters, which works while `leads`: while this process has the lease of its relay.

        Without a relay of events, it takes the lease itself.
        """
        assembly = self._assembly
        if leads is None:
            leads = SoleLease(Leases(assembly.database, new_holder(), SOLE_LEASE)).leads
        target = LetterTopic(
            topic=self._topic,
            group=assembly.group,
            leads=leads,
            open_producer=assembly.producers(
                f"{assembly.group}-dead-letters", DEAD_LETTERS, TopicRights(write=(self._topic,))
            ),
            refused=self.records.refused,
        )
        return LetterRelay(target, assembly.database, assembly.telemetry)
