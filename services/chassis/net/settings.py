"""Settings of listening sockets."""

from services.chassis.settings.environment import Mixin, Text, settings


@settings
class ListenSettings(Mixin):
    """The address on which a process listens, for probes and API alike."""

    http_host: Text = "0.0.0.0"  # noqa: S104  # a container is reached from outside; the local system sets 127.0.0.1
