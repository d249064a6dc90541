"""Settings of a long-running process."""

from datetime import timedelta
from typing import Annotated

import msgspec

from services.chassis.consumer.settings import ConsumerSettings
from services.chassis.database.settings import DatabaseSettings
from services.chassis.http.settings import HttpSettings
from services.chassis.net.settings import ListenSettings
from services.chassis.settings.environment import Port, settings


@settings
class ProcessSettings(ListenSettings):
    """Port of metrics and probes, log level, and how long a stopping process goes on serving."""

    metrics_port: Port = 9464
    log_level: Annotated[str, msgspec.Meta(pattern="^(debug|info|warning|error)\\Z")] = "info"
    drain_delay: timedelta = timedelta(0)


@settings
class ApiSettings(ProcessSettings, HttpSettings, DatabaseSettings):
    """Settings of a service with an API and a database."""


@settings
class ServiceSettings(ApiSettings, ConsumerSettings):
    """Settings of a service with an API, a database and a consumer."""
