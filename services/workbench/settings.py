"""Settings of the local system, the demo and the load generator."""

from services.chassis.settings.environment import Natural, settings
from services.console.settings import ConsoleSettings


@settings
class WorkbenchSettings(ConsoleSettings):
    """`users` register in the demo, `concurrency` of them at a time; equal seeds give equal commands.

    Without `kafka_bootstrap_servers` a broker is started from the jars in `state_dir`/kafka.
    """

    users: Natural = 1000
    seed: int = 1
    concurrency: Natural = 32
