"""A real Kafka broker (KRaft, one node) from the jars that `make` fetched. Knows no topic.

The heap is small and the compiler quick to start, because the broker shares two cores with three services. A JVM that
is killed leaves its native libraries behind: they are in the broker's own folder. It has no file for jps.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

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


def broker(port: int, controller_port: int, jars: Path, state: Path, more: Mapping[str, str] | None = None) -> Program:
    """Write the configuration, format the data folder if it is new (a second), and return the program.

    `more` goes over `properties`: other listeners, for example.

    Raises FileNotFoundError without jars, ProcessError when the format fails.
    """
    if not any(jars.glob("kafka_*.jar")):
        raise FileNotFoundError(f"no Kafka jars in {jars}: run `make demo`, or set APP_KAFKA_BOOTSTRAP_SERVERS")
    state.mkdir(parents=True, exist_ok=True)
    config = state / "server.properties"
    data = state / "data"
    settings = properties(port, controller_port, data) | dict(more or {})
    lines = (f"{key}={value}\n" for key, value in settings.items())
    config.write_text("".join(lines))
    java = ("java", *JVM, f"-Djava.io.tmpdir={_temporary(state)}", "-cp", f"{jars}/*")
    if not (data / "meta.properties").exists():
        _format(java, config)
    argv = (*java, "kafka.Kafka", str(config))
    environment = {"PATH": os.environ["PATH"]}
    return Program("broker", argv, environment, state / "broker.log", lambda: answers(HOST, port))


def _temporary(state: Path) -> Path:
    """Return an empty folder for native libraries, which a JVM that is killed does not delete."""
    folder = state / "tmp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder.absolute()


def _format(java: tuple[str, ...], config: Path) -> None:
    argv = (*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # our own program
    if done.returncode != 0:
        raise ProcessError(f"formatting the broker's folder failed ({done.returncode}): {done.stderr.strip()}")
