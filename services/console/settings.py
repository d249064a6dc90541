"""The console's settings, from `APP_*` variables like every service's; each port of the local run is one."""

from datetime import timedelta
from pathlib import Path

from services.chassis.settings import KafkaSettings, Natural, Port


class ConsoleSettings(KafkaSettings, frozen=True, kw_only=True):
    """What the local run and the demo are told.

    Without `kafka_bootstrap_servers` a broker is started here, from the jars in `state_dir`/kafka.
    `deadline` bounds every wait: for a process to be ready, for an answer, for the effects to arrive.
    """

    kafka_bootstrap_servers: str = ""
    state_dir: Path = Path(".eventline")
    users: Natural = 1000
    seed: int = 1
    concurrency: Natural = 32
    deadline: timedelta = timedelta(seconds=60)
    broker_port: Port = 19092
    controller_port: Port = 19093
    smtp_port: Port = 12525
    user_port: Port = 18080
    user_metrics_port: Port = 19464
    notification_port: Port = 18081
    notification_metrics_port: Port = 19465
    audit_port: Port = 18082
    audit_metrics_port: Port = 19466

    def problems(self) -> list[str]:
        """Return what contradicts what, a line each."""
        if self.kafka_bootstrap_servers or self.kafka_security_protocol == "plaintext":
            return super().problems()
        setting = f"APP_KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol}"
        advice = "set APP_KAFKA_BOOTSTRAP_SERVERS to the broker that is meant"
        return [f"{setting}, but the broker that is started here speaks plaintext: {advice}"]

    def folder(self, command: str) -> Path:
        """Where a command keeps its stores, logs and mails: each has its own, so that none spoils another's."""
        return self.state_dir.absolute() / command
