"""Settings of the outbox relay."""

from datetime import timedelta

from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import Age, settings


@settings
class OutboxSettings(KafkaSettings):
    """How long a relay may publish without renewing its lease, and how long a skipped event is listed as skipped."""

    relay_lease: timedelta = timedelta(seconds=20)
    keep_skipped: Age = timedelta(days=90)

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        if self.kafka_message_timeout * 2 <= self.relay_lease:
            return super().problems()
        both = f"APP_KAFKA_MESSAGE_TIMEOUT ({self.kafka_message_timeout}), APP_RELAY_LEASE ({self.relay_lease})"
        remedy = "the first must be at most half of the second, or two relays could send at once"
        return [*super().problems(), f"{both}: {remedy}"]
