"""Settings of the user service; those of each room are described there."""

from services.chassis.consumer.settings import HeldRecordSettings
from services.chassis.outbox.settings import OutboxSettings
from services.chassis.process.settings import ServiceSettings
from services.chassis.settings.environment import Natural, settings


@settings
class Settings(ServiceSettings, OutboxSettings, HeldRecordSettings):
    """`writer_group` is the largest number of commands that one transaction commits."""

    writer_group: Natural = 128


@settings
class StoreSettings(Settings):
    """Settings of `migrate`: the same, but it needs no broker."""

    kafka_bootstrap_servers: str = ""
