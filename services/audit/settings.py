"""Settings of the audit service; those of each room are described there."""

from services.chassis.process.settings import ServiceSettings
from services.chassis.settings.environment import Natural, Text, settings


@settings
class Settings(ServiceSettings):
    """`audit_origin` is the log's name: every chain starts from it, so it can never change.

    `audit_verify_rate` is how many entries a second each process verifies at most while it runs.
    """

    audit_origin: Text = "eventline.local/audit"
    audit_verify_rate: Natural = 1000


@settings
class StoreSettings(Settings):
    """Settings of `verify` and `migrate`: the same, but they need no broker."""

    kafka_bootstrap_servers: str = ""
