"""What the user service is told; see `chassis.settings` for the meaning of each."""

from services.chassis import settings


class Settings(settings.Settings, frozen=True, kw_only=True):
    """Nothing beyond what every service is told."""


class StoreSettings(Settings, frozen=True, kw_only=True):
    """What `migrate` is told: the same, but it needs no broker."""

    kafka_bootstrap_servers: str = ""
