"""Settings of the local system, the demo and the load generator."""

from collections.abc import MutableMapping
from pathlib import Path
from shlex import quote
from typing import Self

from services.chassis.kafka.security import KafkaSecurity
from services.chassis.settings.environment import Natural, load, settings, variables
from services.console.settings import OPERATOR_FILE, ConsoleSettings
from services.console.tokens.found_key import KEY_FILE
from services.console.tokens.settings import TokenSettings
from services.contracts.access import ADMINISTRATOR, OPERATOR
from services.workbench.local.access import issuer, logins
from services.workbench.local.access.logins import Logins
from services.workbench.local.access.passwords import write_secret

ACCESS = "access"  # the folder of passwords and certificates: one for all systems of this checkout


@settings
class WorkbenchSettings(ConsoleSettings):
    """`users` register in the demo, `concurrency` of them at a time; equal seeds give equal commands.

    Without `kafka_bootstrap_servers` a broker is started from the jars in `state_dir`/kafka. If `secure`, it has TLS,
    a login for each process and an authorizer that denies by default.
    """

    users: Natural = 1000
    seed: int = 1
    concurrency: Natural = 32
    secure: bool = False

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        if not (self.secure and self.kafka_bootstrap_servers):
            return super().problems()
        both = f"APP_SECURE and APP_KAFKA_BOOTSTRAP_SERVERS={self.kafka_bootstrap_servers}"
        advice = "the first secures the broker that is started here; omit one of them"
        return [*super().problems(), f"{both} exclude each other: {advice}"]

    def logins(self) -> Logins:
        """Return the logins of a secured local system, which are generated once."""
        return logins.ensure(self.state_dir / ACCESS, tls=True)

    def issuer_key(self) -> Path:
        """Return the private key of the development issuer of a secured local system, which is generated once."""
        return issuer.ensure(self.state_dir.absolute() / ACCESS / "issuer")

    def client_of(self, login: str) -> Self:
        """Return these settings with the broker's address, and with a login if the local system is secured."""
        client = super().client
        return self.logins().settings(client, login) if self.secure else client

    def leave_operator_login(self, folder: Path) -> None:
        """Write the operator's login for the commands beside a secured local system; without security, remove it."""
        if self.secure:
            folder.mkdir(parents=True, exist_ok=True)
            login = variables(KafkaSecurity, self.client) | variables(TokenSettings, self)
            login |= {"APP_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers}
            write_secret(folder / OPERATOR_FILE, "".join(f"{name}={quote(value)}\n" for name, value in login.items()))
        else:
            (folder / OPERATOR_FILE).unlink(missing_ok=True)

    @property
    def client(self) -> Self:
        """These settings with the broker's address, and with the operator's login, who reads."""
        return self.client_of(OPERATOR)

    @property
    def administrator(self) -> Self:
        """These settings with the broker's address, and with the administrator's login, who may do everything."""
        return self.client_of(ADMINISTRATOR)


def protect(environment: MutableMapping[str, str]) -> None:
    """Add the key of a secured local system's issuer to the environment, whose clients read it; never over another.

    Raises SettingsError.
    """
    if "APP_SECURE" in environment:
        settings = load(WorkbenchSettings, environment)
        if settings.secure and not (settings.token or settings.token_key_file):
            environment[KEY_FILE] = str(settings.issuer_key())
