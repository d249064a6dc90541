"""(l): our producer and our consumer with SCRAM and an authorizer, and with TLS as well, against plaintext."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import msgspec

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Outgoing
from services.console.lag import event_partitions
from services.console.settings import ConsoleSettings
from services.contracts import catalog
from services.user import publisher
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.setting import JARS, READY_S, Sizes
from services.workbench.bench.workload import registered
from services.workbench.local.access import logins, rights
from services.workbench.local.access.secured_broker import Ports, secured_broker
from services.workbench.local.broker import broker
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.system import System

PLAIN = "plaintext"
SECURED = {"SCRAM, authorizer": False, "SCRAM, authorizer, TLS": True}
CHUNK = 1000  # of the relay


class Clients(msgspec.Struct, frozen=True):
    """The settings of a producer and of a consumer of one broker, each with its own login."""

    producer: KafkaSettings
    consumer: KafkaSettings


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, its three brokers running."""
    records = [record for number in range(1, sizes.users + 1) for record in publisher.records(registered(number))]
    with tempfile.TemporaryDirectory(prefix="eventline-bench-") as name, ExitStack() as stack:
        brokers = {PLAIN: stack.enter_context(_plain(Path(name) / "plain"))}
        for case, tls in SECURED.items():
            brokers[case] = stack.enter_context(_secured(Path(name) / f"secured-{tls}", tls=tls))
        yield Part("l", "records/s", 2 * len(brokers), lambda say: _round(brokers, records, say))


def _round(brokers: Mapping[str, Clients], records: Sequence[Outgoing], say: Say) -> Iterator[Pair]:
    starts = {case: KafkaAdmin(clients.consumer, "bench").ends(event_partitions()) for case, clients in brokers.items()}
    written, read = {}, {}
    for case, clients in brokers.items():
        say(f"producer: {case}")
        written[case] = _produce(clients.producer, records)
    for case, clients in brokers.items():
        say(f"consumer: {case}")
        with closing(PartitionReader(clients.consumer, "bench", starts[case])) as reader:
            read[case] = _consume(reader, len(records))
    for what, rates in (("producer", written), ("consumer", read)):
        for case in SECURED:
            yield Pair(f"{what}, {case}", PLAIN, rates[PLAIN], rates[case])


def _produce(settings: KafkaSettings, records: Sequence[Outgoing]) -> float:
    """Return records per second, the first chunk and the connection left out."""
    with closing(Producer(settings, "bench")) as producer:
        producer.publish(records[:CHUNK])
        started = time.perf_counter()
        for start in range(CHUNK, len(records), CHUNK):
            producer.publish(records[start : start + CHUNK])
        return (len(records) - CHUNK) / (time.perf_counter() - started)


def _consume(reader: PartitionReader, expected: int) -> float:
    """Return records per second, the first batch and the connection left out."""
    first, started, done = 0, 0.0, 0
    while done < expected:
        done += len(reader.poll(CHUNK, READY_S))
        if not first:
            first, started = done, time.perf_counter()
    return (done - first) / (time.perf_counter() - started)


@contextmanager
def _plain(folder: Path) -> Iterator[Clients]:
    port, controller = free_ports(2)
    with System([broker(port, controller, jars=JARS, state=folder)]) as system:
        _start(system)
        settings = KafkaSettings(kafka_bootstrap_servers=f"{HOST}:{port}")
        KafkaAdmin(settings, "bench").ensure(catalog.TOPICS)
        yield Clients(settings, settings)
        system.stop("broker")


@contextmanager
def _secured(folder: Path, *, tls: bool) -> Iterator[Clients]:
    made, (client, internal, controller) = logins.ensure(folder / "access", tls=tls), free_ports(3)
    ports = Ports(client, internal, controller)
    with System([secured_broker(ports, JARS, folder / "broker", made)]) as system:
        _start(system)
        settings = ConsoleSettings(kafka_bootstrap_servers=f"{HOST}:{client}")
        rights.apply(made.settings(settings, "topics"), made, lambda _: None)
        yield Clients(made.settings(settings, "user"), made.settings(settings, "audit"))
        system.stop("broker")


def _start(system: System) -> None:
    system.start("broker")
    system.wait_ready(READY_S, "broker")
