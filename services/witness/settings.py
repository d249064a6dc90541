"""Settings of the witness; those of each room are described there."""

from pathlib import Path

from services.chassis.process.settings import ApiSettings
from services.chassis.settings.environment import Mixin, Text, settings
from services.chassis.transparency import key_set


@settings
class KeySettings(Mixin):
    """The witness's name, which its key has, and two files: that key, and the logs' public keys, a vkey a line."""

    witness_name: Text = key_set.WITNESS
    witness_key_file: Path
    witness_logs_file: Path


@settings
class StoreSettings(ApiSettings):
    """Settings of `migrate`, which needs no key."""


@settings
class Settings(ApiSettings, KeySettings):
    """Settings of the witness, which uses no Kafka."""
