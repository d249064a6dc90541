"""Settings of the HTTP API."""

from services.chassis.net.settings import ListenSettings
from services.chassis.settings.environment import Port, settings


@settings
class HttpSettings(ListenSettings):
    """The port of the API."""

    http_port: Port = 8080
