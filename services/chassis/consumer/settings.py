"""Settings of the batch consumer, of dead-letter handling and of parking."""

from datetime import timedelta

from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import Natural, settings

SESSION = timedelta(seconds=45)  # a broker's default session timeout of group members


@settings
class ConsumerSettings(KafkaSettings):
    """The most records of one batch, which is one transaction."""

    consumer_batch: Natural = 1000

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        return super().problems() + self._poll_problems()

    def _poll_problems(self) -> list[str]:
        # A batch may wait for acknowledged dead letters, an assignment for ids and end offsets of its topics.
        longest = max(self.kafka_message_timeout + 2 * self.kafka_request_timeout, SESSION)
        if self.kafka_poll_interval > longest:
            return []
        sum_of = "APP_KAFKA_MESSAGE_TIMEOUT and twice APP_KAFKA_REQUEST_TIMEOUT, at least a group's session"
        remedy = "the first must be longer, or the broker revokes partitions of a working consumer"
        return [f"APP_KAFKA_POLL_INTERVAL ({self.kafka_poll_interval}), {longest} for a batch ({sum_of}): {remedy}"]


@settings
class HeldRecordSettings(ConsumerSettings):
    """Ceilings of dead-letter handling and parking: dead letters per minute, and parked keys."""

    consumer_dead_letter_ceiling: Natural = 100
    consumer_parked_ceiling: Natural = 1000
