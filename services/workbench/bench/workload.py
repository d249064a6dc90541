"""Workload of the benches: a log as the user service would have written it."""

from datetime import UTC, datetime, timedelta

from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.event import Metadata, StoredEvent
from services.contracts.user import Personal, Preferences, UserRegistered
from services.user import publisher
from services.user.domain import evolve
from services.user.handlers import new_event

START = datetime.now(UTC)  # of this run: records older than a topic's retention are deleted half a minute later
CHUNK = 2000


def registered(number: int, sampled: float | None = None) -> StoredEvent:
    """Return the registration of user `number`, as stored; with a trace, where a share of them is to be sampled."""
    user_id = f"01a20344-0000-7000-8000-{number:012d}"
    personal = Personal(f"user{number}", f"user{number}@example.org", f"Person Number {number}", "en")
    fact = UserRegistered(personal, Preferences())
    metadata = Metadata(f"correlation-{number}", traceparent=None if sampled is None else _trace(number, sampled))
    event_id = f"01a20344-1111-7000-8000-{number:012d}"
    event = new_event(event_id, evolve(user_id, None, fact), fact, metadata)
    return StoredEvent(sequence=number, time=START + timedelta(milliseconds=number), event=event)


def publish(settings: KafkaSettings, users: int, sampled: float | None = None) -> None:
    """Write the three records of each registration; see `registered`."""
    producer = Producer(settings, "bench")
    for start in range(1, users + 1, CHUNK):
        chunk = range(start, min(start + CHUNK, users + 1))
        producer.publish([record for number in chunk for record in publisher.records(registered(number, sampled))])
    producer.close()


def _trace(number: int, sampled: float) -> str:
    flags = int(number * sampled) != int((number - 1) * sampled)
    return f"00-{number:032x}-{number:016x}-{flags:02x}"
