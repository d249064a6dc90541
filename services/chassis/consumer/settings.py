"""Settings of the batch consumer, of dead-letter handling and of parking."""

from datetime import timedelta

from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import Age, Natural, settings, too_short
from services.chassis.telemetry.health import STALLED_AFTER_S

STALLED_AFTER = timedelta(seconds=STALLED_AFTER_S)
SESSION = timedelta(seconds=45)  # a broker's default session timeout of group members


@settings
class ConsumerSettings(KafkaSettings):
    """The most records of one batch, which is one transaction."""

    consumer_batch: Natural = 1000

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        return super().problems() + self._poll_problems() + self._stall_problems()

    @property
    def _longest_step(self) -> timedelta:
        # A batch may wait for acknowledged dead letters, an assignment for ids and end offsets of its topics.
        return self.kafka_message_timeout + 2 * self.kafka_request_timeout

    def _stall_problems(self) -> list[str]:
        if self._longest_step < STALLED_AFTER:
            return []
        sum_of = "APP_KAFKA_MESSAGE_TIMEOUT and twice APP_KAFKA_REQUEST_TIMEOUT"
        remedy = f"it must be below {STALLED_AFTER}, or an outage of the broker ends liveness and restarts the process"
        return [f"{sum_of} is {self._longest_step}: {remedy}"]

    def _poll_problems(self) -> list[str]:
        longest = max(self._longest_step, SESSION)
        if self.kafka_poll_interval > longest:
            return []
        sum_of = "APP_KAFKA_MESSAGE_TIMEOUT and twice APP_KAFKA_REQUEST_TIMEOUT, at least a group's session"
        remedy = "the first must be longer, or the broker revokes partitions of a working consumer"
        return [f"APP_KAFKA_POLL_INTERVAL ({self.kafka_poll_interval}), {longest} for a batch ({sum_of}): {remedy}"]


@settings
class HeldRecordSettings(ConsumerSettings):
    """Ceilings of dead-letter handling and parking: dead letters per minute, and parked keys.

    Old rows are looked for at each `forget_every`. `records_return` is the longest time for which Kafka keeps a record
    of a topic with the rule `once`: retention, and the time until a segment is closed. The inbox recognises repeats for
    `keep_inbox`. Dead records with a published letter, and finished held records, stay for `keep_held`.
    """

    consumer_dead_letter_ceiling: Natural = 100
    consumer_parked_ceiling: Natural = 1000
    forget_every: timedelta = timedelta(minutes=10)
    records_return: Age = timedelta(days=37)
    keep_inbox: Age = timedelta(days=45)
    keep_held: Age = timedelta(days=40)

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        again = "a record that Kafka still has could be applied twice"
        unapplied = "a dead record that is retried could be taken for a repeat"
        return [
            *super().problems(),
            *too_short({"APP_KEEP_INBOX": self.keep_inbox, "APP_RECORDS_RETURN": self.records_return}, again),
            *too_short({"APP_KEEP_INBOX": self.keep_inbox, "APP_KEEP_HELD": self.keep_held}, unapplied),
        ]
