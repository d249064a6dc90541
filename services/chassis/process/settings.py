"""Settings of a process that stays up."""

from datetime import timedelta
from typing import Annotated

import msgspec

from services.chassis.database.settings import DatabaseSettings
from services.chassis.http.settings import HttpSettings
from services.chassis.net.settings import ListenSettings
from services.chassis.settings.environment import Port, settings


@settings
class ProcessSettings(ListenSettings):
    """Where metrics and probes are served, how much is logged, and how long a stopping process goes on serving."""

    metrics_port: Port = 9464
    log_level: Annotated[str, msgspec.Meta(pattern="^(debug|info|warning|error)$")] = "info"
    drain_delay: timedelta = timedelta(0)


@settings
class ServiceSettings(ProcessSettings, HttpSettings, DatabaseSettings):
    """Settings that every service with an API and a database has."""
