"""The network of a campaign's own system: each service reaches the broker and the database server through gates."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import make_url

from services.contracts.service_list import SERVICES
from services.workbench.faults.conditions.network import Gate
from services.workbench.local.access.secured_broker import Ports, secured_broker
from services.workbench.local.broker import broker, properties
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program
from services.workbench.settings import WorkbenchSettings

BOOTSTRAP, DATABASE_URL = "APP_KAFKA_BOOTSTRAP_SERVERS", "APP_DATABASE_URL"


class Network:
    """The gates of each service: one to the broker if it is the system's own, one to a database server."""

    def __init__(self, settings: WorkbenchSettings, urls: Mapping[str, str], stack: contextlib.ExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._listeners = {} if settings.kafka_bootstrap_servers else _pairs()
        self._brokers = {name: self._gate(*pair) for name, pair in self._listeners.items()}
        servers = {name: url.port for name, text in urls.items() if (url := make_url(text)).port}
        self._databases = {name: self._gate(free_ports(1)[0], port) for name, port in servers.items()}
        self._urls = urls

    @property
    def gates(self) -> dict[str, list[Gate]]:
        """The gates of each service."""
        both = (self._brokers, self._databases)
        return {name: [gates[name] for gates in both if name in gates] for name in SERVICES}

    def joined(self, program: Program, folder: Path) -> Program:
        """Return the broker with a listener for each service, and a service behind its gates; others as they are."""
        if program.name == "broker":
            return self._broker(folder)
        if program.name not in self._urls:
            return program
        changed = {DATABASE_URL: self._urls[program.name]}
        if gate := self._databases.get(program.name):
            behind = make_url(changed[DATABASE_URL]).set(port=gate.port)
            changed[DATABASE_URL] = behind.render_as_string(hide_password=False)
        if gate := self._brokers.get(program.name):
            changed[BOOTSTRAP] = f"{HOST}:{gate.port}"
        return program.with_environment(changed)

    def _broker(self, folder: Path) -> Program:
        settings, state, jars = self._settings, folder / "broker", self._settings.state_dir / "kafka"
        if settings.secure:
            proxied = {name.upper(): (port, gate) for name, (gate, port) in self._listeners.items()}
            secured = Ports(
                settings.broker_port, settings.broker_internal_port, settings.controller_port, proxied=proxied
            )
            return secured_broker(secured, jars, state, settings.logins())
        usual = properties(settings.broker_port, settings.controller_port, state / "data")
        advertised = [f"PLAINTEXT://{HOST}:{settings.broker_port}"]
        advertised += [f"{name.upper()}://{HOST}:{gate}" for name, (gate, _) in self._listeners.items()]
        own = [f"{name.upper()}://{HOST}:{port}" for name, (_, port) in self._listeners.items()]
        protocols = [f"{name.upper()}:PLAINTEXT" for name in self._listeners]
        more = {
            "listeners": ",".join([usual["listeners"], *own]),
            "advertised.listeners": ",".join(advertised),
            "listener.security.protocol.map": ",".join([usual["listener.security.protocol.map"], *protocols]),
            "inter.broker.listener.name": "PLAINTEXT",
        }
        ports = settings.broker_port, settings.controller_port
        return broker(*ports, jars=jars, state=state, more=more)

    def _gate(self, port: int, target: int) -> Gate:
        gate = Gate(port, target)
        self._stack.callback(gate.close)
        return gate


@contextlib.contextmanager
def network(settings: WorkbenchSettings, urls: Mapping[str, str]) -> Iterator[Network]:
    """Yield a network to these databases, open; it is taken down at the end."""
    with contextlib.ExitStack() as stack:
        yield Network(settings, urls, stack)


def _pairs() -> dict[str, tuple[int, int]]:
    """Return the ports of each service's gate to the broker and of the listener behind it."""
    ports = iter(free_ports(2 * len(SERVICES)))
    return {name: (next(ports), next(ports)) for name in SERVICES}
