"""Bugs of the audit service: records that it leaves out."""

from typing import Any

from services.audit import handlers
from services.chassis.kafka.group_consumer import GroupConsumer
from services.contracts.catalog import USER_EVENTS
from tests.support.bugs.replacing import replace


def audit_skips_a_tombstone() -> None:
    """Record nothing of records without a value."""

    def recording(record: Any) -> Any:
        def wrong(log: Any, records: Any, *more: Any) -> Any:
            return record(log, [one for one in records if one.value is not None], *more)

        return wrong

    replace(handlers, "record", recording)


def audit_skips_a_partition_after_a_rebalance() -> None:
    """Leave one partition unread from the second assignment of a member on."""
    assignments = [0]

    def assigning(assign: Any) -> Any:
        def wrong(self: Any, client: Any, partitions: Any) -> None:
            assignments[0] += bool(partitions)
            facts = [one for one in partitions if one.topic == USER_EVENTS.name]
            assign(self, client, [one for one in partitions if one not in facts[:1] or assignments[0] == 1])

        return wrong

    replace(GroupConsumer, "_assign", assigning)
