"""A system that is well, of which tests change one thing."""

from typing import Any

import msgspec

from services.chassis.messages.record import Record, TopicPartition
from services.contracts.catalog import NOTIFICATION_EVENTS, USER_EVENTS, USER_NOTICES, USER_STATE
from services.workbench.reconcile.checks import checked
from services.workbench.reconcile.evidence import Evidence, Mail, Place, digest_of, seen, value_digest
from services.workbench.reconcile.history import Operation, Result
from tests.support.builders import USER_ID, a_record, an_envelope

FACTS, STATES, NOTICES = USER_EVENTS.name, USER_STATE.name, USER_NOTICES.name


class World:
    """A user who has registered, got a mail and changed the name, as everybody has seen it; tests change it."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        for version, kind in ((1, "user.registered"), (2, "user.name_changed")):
            self.change(version, kind)
        cause: dict[str, Any] = {"causation_id": "event-1", "correlation_id": "command-1"}
        self.add(NOTIFICATION_EVENTS.name, id="queued", type="notification.queued", sequence=1, **cause)
        outcome = cause | {"causation_id": "queued"}
        self.add(NOTIFICATION_EVENTS.name, id="sent", type="notification.sent", sequence=2, **outcome)
        self.users = {USER_ID: 2}
        self.mails = [Mail("<1@example.org>", "command-1", ["ada@example.org"])]
        self.history = [
            operation("register", "command-1", 1.0, version=1),
            operation("read", "r1", 2.0, version=1),
            operation("rename", "command-2", 3.0, version=2),
            operation("read", "r2", 4.0, version=2),
            operation("rename", "refused", 5.0, result=Result.FAIL),
        ]
        self.unaudited: set[Place] = set()
        self.recorded: dict[Place, bytes] = {}
        self.replica: int | None = None
        self.dead: set[Place] = set()
        self.later = 0  # records that come to each partition after the log was read

    def change(self, version: int, kind: str, **changed: Any) -> None:
        """Publish a fact, with its state and notice."""
        usual: dict[str, Any] = {"id": f"event-{version}", "sequence": version, "correlation_id": f"command-{version}"}
        for topic in (FACTS, STATES, NOTICES):
            self.add(topic, version=version, type=kind, **(usual | changed))

    def add(self, topic: str, *, value: bytes | None = b"{}", key: bytes = USER_ID.encode(), **envelope: Any) -> None:
        """Publish an event."""
        offset = sum(record.topic == topic for record in self.records)
        self.records.append(a_record(an_envelope(**envelope), value, topic=topic, offset=offset, key=key))

    def remove(self, topic: str, event_id: str) -> None:
        """Take an event from a topic."""
        self.records = [one for one in self.records if one.topic != topic or one.header("ce_id") != event_id]

    def evidence(self) -> Evidence:
        """Return what is collected of it."""
        entries = {
            place: digest_of(value_digest(one.value), one.headers or [])
            for one in self.records
            if (place := Place(one.topic, one.partition, one.offset)) not in self.unaudited
        }
        return Evidence(
            seen=seen(self.records),
            history=self.history,
            users=self.users,
            mails=self.mails,
            entries=entries | self.recorded,
            replicas={USER_ID: newest} if (newest := self._replica()) else {},
            dead=self.dead,
            takeovers=1,
            ends={place: end + self.later for place, end in self._ends().items()},
        )

    def _ends(self) -> dict[TopicPartition, int]:
        return {
            TopicPartition(topic, 0): sum(one.topic == topic for one in self.records)
            for topic in {record.topic for record in self.records}
        }

    def _replica(self) -> int:
        """Return the version that notification has, by default that of the newest state."""
        versions = (int(one.header("ce_subjectversion") or 0) for one in self.records if one.topic == STATES)
        return max(versions, default=0) if self.replica is None else self.replica


def operation(kind: str, command: str, began: float, **changed: Any) -> Operation:
    """Return a request that was answered."""
    usual = Operation(kind=kind, command=command, result=Result.OK, began=began, ended=began + 0.5, user_id=USER_ID)
    return msgspec.structs.replace(usual, **changed)


def found(world: World) -> set[str]:
    """Return the names of the anomalies that are found."""
    return {one.check.name for one in checked(world.evidence()) if one.findings}
