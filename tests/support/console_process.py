"""The console as a person runs it, on ports and in a folder that meet no other's."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from services.contracts.service_list import JOBS, WITH_API
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import clean_environment
from services.workbench.polling import until

JARS = Path(".eventline/kafka").absolute()
PORTS = (
    "BROKER",
    "CONTROLLER",
    "BROKER_INTERNAL",
    "SMTP",
    "PAGE",
    *map(str.upper, WITH_API),
    *(f"{name.upper()}_METRICS" for name in JOBS),
)
DEADLINE = 120.0
BEGUN = "registered"
OF_WORKBENCH = {"demo", "run", "break", "load", "verify", "tour", "backlog", "sink", "reconcile", "chaos"}

Settings = dict[str, str]


def own_settings(folder: Path) -> Settings:
    """Return settings of a local system in an empty folder."""
    (folder / "kafka").symlink_to(JARS)
    ports = {f"APP_{name}_PORT": str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
    return ports | {"APP_STATE_DIR": str(folder)}


def argv(*arguments: str) -> tuple[str, ...]:
    """Return what runs the console."""
    package = "workbench" if arguments[0] in OF_WORKBENCH else "console"
    return (sys.executable, "-m", f"services.{package}", *arguments)


def console(
    settings: Settings, *arguments: str, through: Sequence[str] = (), seconds: float = DEADLINE
) -> tuple[int, str]:
    """Run the console to its end, through another program if one is given; return its exit code and its output."""
    environment = clean_environment(settings)
    python, dash_m, *command = argv(*arguments)
    done = subprocess.run(
        (python, dash_m, *through, *command),
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def await_load(load: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the first users of a load are registered with all effects: earlier events would disturb its count."""

    def output() -> str:
        assert load.poll() is None, f"the load has failed:\n{log.read_text()}"
        return log.read_text()

    until("the load begins", output, lambda found: BEGUN in found)
