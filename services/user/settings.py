"""Settings of the user service; those of each room are described there."""

from datetime import timedelta

from services.chassis.consumer.settings import HeldRecordSettings
from services.chassis.outbox.settings import OutboxSettings
from services.chassis.process.settings import ServiceSettings
from services.chassis.settings.environment import Age, Natural, settings, too_short


@settings
class Settings(ServiceSettings, OutboxSettings, HeldRecordSettings):
    """`writer_group` is the largest number of commands that one transaction commits.

    A reply is kept for `keep_replies`: a request with the same Idempotency-Key gets it again. `retry_window` is how
    long clients are promised that.
    """

    writer_group: Natural = 128
    retry_window: Age = timedelta(days=1)
    keep_replies: Age = timedelta(days=7)

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        again = "a command that a client sends again could be executed twice"
        return super().problems() + too_short(
            {"APP_KEEP_REPLIES": self.keep_replies, "APP_RETRY_WINDOW": self.retry_window}, again
        )


@settings
class StoreSettings(Settings):
    """Settings of `migrate`: the same, but it needs no broker."""

    kafka_bootstrap_servers: str = ""
