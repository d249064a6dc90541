"""What the audit service is told; see `chassis.settings` for the meaning of what is not here."""

from services.chassis import settings
from services.chassis.settings import Text


class Settings(settings.Settings, frozen=True, kw_only=True):
    """`audit_origin` is the log's name: every chain starts from it, so it can never change."""

    audit_origin: Text = "eventline.local/audit"


class StoreSettings(Settings, frozen=True, kw_only=True):
    """What `verify` and `migrate` are told: the same, but they need no broker."""

    kafka_bootstrap_servers: str = ""
