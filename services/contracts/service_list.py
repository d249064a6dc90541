"""The list of services, read from services.toml. Everything that names every service is derived from it."""

import tomllib
from pathlib import Path
from typing import NamedTuple

import msgspec

LIST = Path(__file__).with_name("services.toml")
LAG_EXPORTER = "console"  # its job and its image; it has metrics, but no API and no database
LAG_EXPORTER_SLOT = 3
LARGEST_SLOT = 9
EVERY_TOPIC = "*"


class Ports(NamedTuple):
    """The ports of one service where a system runs: of its API, and of its metrics and probes."""

    http: int
    metrics: int


class Target(msgspec.Struct, frozen=True):
    """Where a system runs, with the ports of slot 0."""

    http: int
    metrics: int

    def ports(self, slot: int) -> Ports:
        """Return the ports of a slot."""
        return Ports(self.http + slot, self.metrics + slot)


LOCAL = Target(18080, 19464)
COMPOSE = Target(38080, 39464)
KIND = Target(28080, 28464)
NODE = Target(30080, 30464)  # the ports of kind's node, to which those of this machine lead


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the list; services.toml explains the fields."""

    name: str
    slot: int
    reads: tuple[str, ...]
    dead_letters: bool = False
    outbox: bool = False
    replica: bool = False

    @property
    def uses_kafka(self) -> bool:
        """True if the service reads or publishes topics, and so needs a broker."""
        return bool(self.reads) or self.outbox

    def reads_topic(self, topic: str) -> bool:
        """Return whether the service's consumer reads a topic."""
        return topic in self.reads or EVERY_TOPIC in self.reads


def read(text: str) -> tuple[Service, ...]:
    """Return the services in the order of a list. Raises msgspec.ValidationError and tomllib.TOMLDecodeError."""
    rows = tomllib.loads(text)
    return tuple(msgspec.convert({"name": name} | row, Service) for name, row in rows.items())


ROWS = read(LIST.read_text())
SERVICES = tuple(row.name for row in ROWS if row.uses_kafka)  # they communicate through topics only
STANDALONE = tuple(row.name for row in ROWS if not row.uses_kafka)  # without Kafka, with an API and a database
WITH_API = (*SERVICES, *STANDALONE)
JOBS = (*WITH_API, LAG_EXPORTER)  # as Prometheus calls them
PUBLISHERS = tuple(row.name for row in ROWS if row.outbox)
PARKING = tuple(row.name for row in ROWS if row.dead_letters)


def readers(topic: str) -> tuple[str, ...]:
    """Return the services that read a topic."""
    return tuple(row.name for row in ROWS if row.reads_topic(topic))


def ports(target: Target) -> dict[str, Ports]:
    """Return the ports of each service at a target."""
    return {row.name: target.ports(row.slot) for row in ROWS}
