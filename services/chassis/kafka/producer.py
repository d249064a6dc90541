"""An idempotent producer that publishes a batch and waits for the acknowledgement of each record."""

import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as Client

from services.chassis.kafka import config, statistics
from services.chassis.kafka.admin import RECREATE
from services.chassis.kafka.client_metrics import ClientMetrics
from services.chassis.kafka.error_events import ErrorEvents
from services.chassis.kafka.rights import advice
from services.chassis.kafka.rights.topic_rights import WRITE
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.publisher import PartitionCountError, PublishError, RecordRefusedError
from services.chassis.messages.record import Outgoing

POLL_S = 0.1
CAUSE_S = 1.0  # for the broker's answer why a topic takes no record
GRACE_S = 5.0  # after message.timeout.ms, by which each record is reported unless the client is broken
DENIED = "TOPIC_AUTHORIZATION_FAILED"
ADVICE = {
    "INVALID_TIMESTAMP": ": correct this host's clock or the broker's",
    "UNKNOWN_TOPIC_OR_PART": ": `console topics` creates it",
}
# Errors that no later try can change, because they are about the record itself; what is wrong with it. Every other code
# is retried: the broker is unreachable, a right or a topic is missing, a setting or a clock is wrong for all records.
# `INVALID_TIMESTAMP` is such a clock, as a record's timestamp is the present.
PERMANENT = {
    "MSG_SIZE_TOO_LARGE": "the record is above message.max.bytes of the client or max.message.bytes of the topic",
    "INVALID_MSG_SIZE": "the record's size is not valid",
    "RECORD_LIST_TOO_LARGE": "the batch is above the segment size of the topic",
    "INVALID_RECORD": "the record breaks a rule of the topic: a compacted one takes no record without a key",
    "_INVALID_DIFFERENT_RECORD": "another record of its batch was refused",
}
TIMED_OUT = {"_MSG_TIMED_OUT", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"}


class Producer:
    """An idempotent producer. After an error it must be closed and not be used again.

    A record's timestamp is the present. With the time of its event, retention would delete one that was published
    late, and brokers would refuse one from a clock more than an hour ahead (KIP-937), which holds up all behind it.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        name: str,
        metrics: ClientMetrics | None = None,
        partitions: Mapping[str, int] = {},  # only read
    ) -> None:
        self._events = ErrorEvents(name, metrics)
        own = {"error_cb": self._events}
        self._client = Client(config.producer(settings, name) | statistics.callback_config(metrics) | own)
        self._settings = settings
        self._metrics = metrics
        self._partitions = partitions
        self._fewest = min(partitions.values(), default=sys.maxsize)  # one comparison for each report
        self._misplaced: set[str] = set()
        self._patience = settings.kafka_message_timeout.total_seconds() + GRACE_S
        self._unreported = 0
        self._failures: Counter[tuple[str, str]] = Counter()  # by error and topic

    def publish(self, records: Iterable[Outgoing]) -> Counter[str]:
        """Write records in order and wait for the acknowledgement of each. Returns the number per topic.

        Raises PublishError if one is not acknowledged within the message time-out, and RecordRefusedError if client or
        broker refuse one for good; see PERMANENT. Raises PartitionCountError if one is in a partition that its topic
        should not have.
        """
        sent: Counter[str] = Counter()
        started, error = time.perf_counter(), ""
        try:
            self._write(records, sent)
        except (PublishError, RecordRefusedError, PartitionCountError):
            error = next((name for name, _ in self._failures), "unreported")
            raise
        finally:
            if self._metrics:
                self._metrics.took("publish", sent, time.perf_counter() - started, error)
        self._events.clear()
        return sent

    def poll(self) -> None:
        """Serve the client's callbacks: its statistics."""
        self._client.poll(0)

    def close(self) -> None:
        """Drop queued records, so that none is written after those of the next producer."""
        self._client.purge()
        self._client.flush(POLL_S)
        if self._metrics:
            self._metrics.closed()

    def _write(self, records: Iterable[Outgoing], sent: Counter[str]) -> None:
        for record in records:
            self._send(record)
            sent[record.topic] += 1
        deadline = time.monotonic() + self._patience
        while self._unreported and not self._failures and time.monotonic() < deadline:
            self._client.flush(POLL_S)  # unlike poll, it does not wait for linger.ms: the batch is complete
        if self._misplaced:
            raise PartitionCountError(f"topic {', '.join(sorted(self._misplaced))} has more partitions: {RECREATE}")
        self._refuse_permanently({name for name, _ in self._failures})
        if self._failures or self._unreported:
            failed = ", ".join(self._explained(*failure) for failure in self._failures.items())
            raise PublishError(f"{self._unreported} records unreported, failed: {failed or 'none'}")

    def _send(self, record: Outgoing) -> None:
        while True:
            try:
                self._client.produce(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    headers=record.headers,  # type: ignore[arg-type]  # the stub leaves null values out
                    on_delivery=self._report,
                )
            except BufferError:
                self._client.poll(POLL_S)  # the local queue is full: serve delivery reports until there is room
            except KafkaException as error:
                self._refuse_permanently([error.args[0].name()])
                raise PublishError(str(error)) from error
            else:
                self._unreported += 1
                return

    def _refuse_permanently(self, errors: Collection[str]) -> None:
        if name := next((name for name in PERMANENT if name in errors), None):
            raise RecordRefusedError(f"{name}: {PERMANENT[name]}")

    def _report(self, error: KafkaError | None, message: Message) -> None:
        self._unreported -= 1
        if error is not None:
            self._failures[error.name(), message.topic() or ""] += 1
        elif (message.partition() or 0) >= self._fewest:
            self._check_place(message.topic() or "", message.partition() or 0)

    def _check_place(self, topic: str, partition: int) -> None:
        if partition >= self._partitions.get(topic, sys.maxsize):
            self._misplaced.add(topic)

    def _explained(self, failure: tuple[str, str], number: int) -> str:
        name, topic = failure
        if name in TIMED_OUT:
            name = self._cause(topic) or name
        if name == DENIED:
            return f"{number} with {name}: {advice.missing(self._settings, WRITE, advice.TOPIC, [topic])}"
        return f"{number} with {name} on topic {topic}" + ADVICE.get(name, "")

    def _cause(self, topic: str) -> str | None:
        """Return the error of a topic that the client waited for: it is missing or denied."""
        try:
            error = self._client.list_topics(topic, timeout=CAUSE_S).topics[topic].error
        except KafkaException:
            return None
        return error.name() if error else None
