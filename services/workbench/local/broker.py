"""A real Kafka broker (KRaft, one node) from the jars that `make` fetched. Knows no topic.

The heap is small and the compiler quick to start, because the broker shares two cores with three services. A JVM that
is killed leaves its native libraries behind: they are in the broker's own folder. It has no file for jps.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from services.workbench.local.ports import HOST
from services.workbench.local.processes import ProcessError, Program, answers

JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
CLUSTER_ID = "ZXZlbnRsaW5lLWxvY2FsMQ"  # any 16 bytes in base64: "eventline-local1"


def properties(port: int, controller_port: int, data: Path) -> dict[str, str]:
    """Return the broker's configuration: one node, no topic by accident, short consumer sessions."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(data),
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",  # so long a killed broker counts as alive
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),  # of the heap; the default takes half of it
        "group.initial.rebalance.delay.ms": "0",
        "group.consumer.session.timeout.ms": "6000",
        "group.consumer.min.session.timeout.ms": "6000",
        "group.consumer.heartbeat.interval.ms": "2000",
        "group.consumer.min.heartbeat.interval.ms": "2000",
    }


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A broker to run. `more` goes over `properties`: other listeners, for example.

    `users` get a login by SCRAM-SHA-512 when the data folder is formatted. `logged` are loggers that write to the
    broker's log, each with its level; all others write errors.
    """

    port: int
    controller_port: int
    more: Mapping[str, str] = {}
    users: Mapping[str, str] = {}
    logged: Sequence[str] = ()


def broker(port: int, controller_port: int, jars: Path, state: Path, more: Mapping[str, str] | None = None) -> Program:
    """Return a broker that everybody may use; see `program` for the rest."""
    return program(Node(port=port, controller_port=controller_port, more=more or {}), jars, state)


def program(node: Node, jars: Path, state: Path) -> Program:
    """Write the configuration, format the data folder if it is new (a second), and return the program.

    Raises FileNotFoundError without jars, ProcessError when the format fails.
    """
    if not any(jars.glob("kafka_*.jar")):
        raise FileNotFoundError(f"no Kafka jars in {jars}: run `make demo`, or set APP_KAFKA_BOOTSTRAP_SERVERS")
    state.mkdir(parents=True, exist_ok=True)
    config = state / "server.properties"
    data = state / "data"
    settings = properties(node.port, node.controller_port, data) | dict(node.more)
    lines = (f"{key}={value}\n" for key, value in settings.items())
    config.write_text("".join(lines))
    java = ("java", *JVM, f"-Djava.io.tmpdir={_temporary(state)}", *_logging(node.logged), "-cp", f"{jars}/*")
    if not (data / "meta.properties").exists():
        _format(java, config, node.users)
    argv = (*java, "kafka.Kafka", str(config))
    environment = {"PATH": os.environ["PATH"]}
    return Program("broker", argv, environment, state / "broker.log", lambda: answers(HOST, node.port))


def _logging(logged: Sequence[str]) -> tuple[str, ...]:
    simple = "-Dorg.slf4j.simpleLogger"
    levels = (f"{simple}.log.{one}" for one in logged)
    return (f"{simple}.defaultLogLevel=error", f"{simple}.showDateTime=true", *levels)


def _temporary(state: Path) -> Path:
    """Return an empty folder for native libraries, which a JVM that is killed does not delete."""
    folder = state / "tmp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder.absolute()


def _format(java: tuple[str, ...], config: Path, users: Mapping[str, str]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=config.parent) as options:  # readable by the owner alone, unlike argv
        for user, password in users.items():
            options.write(f"--add-scram\nSCRAM-SHA-512=[name={user},password={password}]\n")
        options.flush()
        argv = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config)]
        argv += [f"@{options.name}"] if users else []
        done = subprocess.run(argv, capture_output=True, text=True, check=False)  # our own program
    if done.returncode != 0:
        # Its output may contain a credential.
        problem = "see that its configuration is right" if users else done.stderr.strip()
        raise ProcessError(f"formatting the broker's folder failed ({done.returncode}): {problem}")
