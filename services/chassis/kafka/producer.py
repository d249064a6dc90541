"""A producer that publishes a batch and knows what became of every record in it."""

import time
from collections import Counter
from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as Client

from services.chassis.kafka import config, statistics
from services.chassis.kafka.client_metrics import ClientMetrics
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.publisher import PublishError
from services.chassis.messages.record import Outgoing

POLL_S = 0.1
GRACE_S = 5.0  # a report comes at the latest with message.timeout.ms; beyond that the client is broken


class Producer:
    """An idempotent producer. After a PublishError it must be closed and not be used again."""

    def __init__(self, settings: KafkaSettings, name: str, told: ClientMetrics | None = None) -> None:
        self._client = Client(config.producer(settings, name) | statistics.told_to(told))
        self._told = told
        self._patience = settings.kafka_message_timeout.total_seconds() + GRACE_S
        self._unreported = 0
        self._failures: Counter[str] = Counter()

    def publish(self, records: Iterable[Outgoing]) -> Counter[str]:
        """Write records in order and wait for the broker's word on each. Returns the number per topic.

        Raises PublishError when one was refused, or is not reported within the message time-out.
        """
        sent: Counter[str] = Counter()
        started, error = time.perf_counter(), ""
        try:
            self._write(records, sent)
        except PublishError:
            error = next(iter(self._failures), "unreported")
            raise
        finally:
            if self._told:
                self._told.took("publish", sent, time.perf_counter() - started, error)
        return sent

    def poll(self) -> None:
        """Let the client tell its statistics."""
        self._client.poll(0)

    def close(self) -> None:
        """Drop what is still queued, so that nothing of this producer is written after its successor's."""
        self._client.purge()
        self._client.flush(POLL_S)
        if self._told:
            self._told.closed()

    def _write(self, records: Iterable[Outgoing], sent: Counter[str]) -> None:
        for record in records:
            self._send(record)
            sent[record.topic] += 1
        deadline = time.monotonic() + self._patience
        while self._unreported and not self._failures and time.monotonic() < deadline:
            self._client.flush(POLL_S)  # unlike poll, it lets nothing linger: nobody adds to this batch any more
        if self._failures or self._unreported:
            raise PublishError(f"{self._unreported} records unreported, failed: {dict(self._failures)}")

    def _send(self, record: Outgoing) -> None:
        while True:
            try:
                self._client.produce(
                    record.topic,
                    key=record.key,
                    value=record.value,
                    headers=record.headers,  # type: ignore[arg-type]  # the stub leaves null values out
                    timestamp=record.timestamp_ms,
                    on_delivery=self._report,
                )
            except BufferError:
                self._client.poll(POLL_S)  # the local queue is full: serve reports until there is room
            except KafkaException as error:
                raise PublishError(str(error)) from error
            else:
                self._unreported += 1
                return

    def _report(self, error: KafkaError | None, _: Message) -> None:
        self._unreported -= 1
        if error is not None:
            self._failures[error.name()] += 1
