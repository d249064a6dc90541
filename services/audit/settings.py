"""Settings of the audit service; those of each room are described there."""

from services.chassis.process.settings import ServiceSettings
from services.chassis.settings.environment import Mixin, Natural, Text, settings
from services.chassis.transparency.note import check_name

UPGRADE = (
    "a log that has this origin already cannot keep it: verify it, keep its database and this line as evidence, and "
    "begin a new log with a valid origin and an empty database (docs/backup.md)"
)


@settings
class NotarySettings(Mixin):
    """Files of the notary: the key that signs checkpoints, the policy that names witnesses, and a published file.

    Without a key nothing is signed; without a policy no witness is asked; without a file there are topic and table.
    """

    audit_key_file: str = ""
    audit_policy_file: str = ""
    audit_checkpoint_file: str = ""

    def problems(self) -> list[str]:
        """Return files that would be ignored."""
        given = {"POLICY": self.audit_policy_file, "CHECKPOINT": self.audit_checkpoint_file}
        ignored = [f"APP_AUDIT_{name}_FILE" for name, value in given.items() if value and not self.audit_key_file]
        remedy = "would be ignored without APP_AUDIT_KEY_FILE: give the key, or omit it"
        return [*super().problems(), *(f"{name} {remedy}" for name in ignored)]


@settings
class StoredLogSettings(ServiceSettings, NotarySettings):
    """`audit_origin` is the log's name: every chain starts from it, so it can never change.

    `audit_verify_rate` is how many entries a second each process verifies at most while it runs.
    """

    audit_origin: Text = "eventline.local/audit"
    audit_verify_rate: Natural = 1000


@settings
class Settings(StoredLogSettings):
    """Settings of the service and of `restore`, which begin logs: the origin must be a name that a key may have."""

    def problems(self) -> list[str]:
        """Return the fault of the origin."""
        try:
            check_name(self.audit_origin)
        except ValueError as error:
            return [*super().problems(), f"APP_AUDIT_ORIGIN={self.audit_origin!r}: {error}; {UPGRADE}"]
        return super().problems()


@settings
class StoreSettings(StoredLogSettings):
    """Settings of `verify` and `migrate`: they need no broker, and take any origin that a log may have."""

    kafka_bootstrap_servers: str = ""
