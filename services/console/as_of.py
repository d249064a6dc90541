"""`console as-of`: the user service's own program builds the users of a moment, with the broker that runs here."""

import os
import sys
from typing import NoReturn

from services.chassis.kafka.admin import KafkaAdmin
from services.console.rebuild import PARTITIONS, environment
from services.console.settings import ConsoleSettings


def build(settings: ConsoleSettings, moment: str, into: str) -> NoReturn:
    """Become that program, so that signals reach it and its exit code is ours. Raises KafkaAdmin's errors."""
    KafkaAdmin(settings, "console").ends(PARTITIONS)  # reports an unreachable broker as every command does
    argv = [sys.executable, "-m", "services.user", "as-of", "--into", into, "--", moment]
    os.execve(sys.executable, argv, environment(settings, into))  # noqa: S606  # our own program, no shell
