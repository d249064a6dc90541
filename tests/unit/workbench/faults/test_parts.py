"""The parts of each system, with programs in the place of docker and kubectl that note how they were called."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from k8s.command import DeployError
from services.contracts.service_list import SERVICES
from services.workbench.faults.compose_parts import ComposeParts
from services.workbench.faults.kind_parts import KindParts
from services.workbench.faults.local_parts import LocalParts
from services.workbench.faults.table import Fault
from services.workbench.local.system import System


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of calls; the file `<program>.<argument>` is what a call with this argument answers."""
    for name in ("docker", "kubectl"):
        program = tmp_path / name
        program.write_text(
            f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/calls\n'
            f'for each; do [ -f "$0.$each" ] && exec cat "$0.$each"; done; exit 0\n'
        )
        program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path / "calls"


def called(calls: Path) -> list[str]:
    return [line.removeprefix(f"{calls.parent}/") for line in calls.read_text().splitlines()]


def test_compose_starts_what_has_ended_and_lets_go_on_what_is_paused(calls: Path) -> None:
    states = {"user": "running", "kafka": "exited", "mail": "paused"}
    lines = [f'{{"Service": "{service}", "State": "{state}"}}' for service, state in states.items()]
    (calls.parent / "docker.ps").write_text("\n".join(lines))
    assert asyncio.run(ComposeParts().heal()) == ["broker", "mail"]
    assert [line.split()[4:] for line in called(calls)[1:]] == [["start", "kafka"], ["unpause", "mail"]]


def test_kind_remembers_in_the_cluster_how_many_pods_a_killed_part_had(calls: Path) -> None:
    (calls.parent / "kubectl.config").write_text("https://127.0.0.1:6443")
    (calls.parent / "kubectl.jsonpath={.spec.replicas}").write_text("2")
    asyncio.run(KindParts().kill("user"))
    assert all(line.startswith("kubectl --context kind-eventline ") for line in called(calls))
    assert [line.partition("--namespace eventline ")[2] for line in called(calls)[3:]] == [
        "annotate deployment/eventline-user eventline.local/replicas-before-fault=2",
        "scale deployment/eventline-user --replicas=0",
        "delete pod --selector app.kubernetes.io/name=user --now --wait=false",
    ]


def test_a_part_that_an_interrupted_command_has_left_killed_is_healed_first(calls: Path) -> None:
    (calls.parent / "kubectl.config").write_text("https://127.0.0.1:6443")
    (calls.parent / "kubectl.get").write_text("2")
    with pytest.raises(DeployError, match="left user killed: `break heal` starts it again"):
        asyncio.run(KindParts().kill("user"))


def test_a_part_that_another_command_has_healed_is_healed_already(calls: Path) -> None:
    (calls.parent / "kubectl.config").write_text("https://127.0.0.1:6443")
    asyncio.run(KindParts().start("user"))
    assert [line.split()[5] for line in called(calls)[1:]] == ["get"]
    docker = calls.parent / "docker"
    docker.write_text("#!/bin/sh\necho Container x is not paused >&2; exit 1")
    asyncio.run(ComposeParts().resume("user"))
    docker.write_text("#!/bin/sh\necho no such container >&2; exit 1")
    with pytest.raises(DeployError, match="no such container"):
        asyncio.run(ComposeParts().resume("user"))


def test_a_context_that_leads_to_another_cluster_is_refused(calls: Path) -> None:
    (calls.parent / "kubectl.config").write_text("https://prod.example.org:6443")
    for act in (KindParts().kill("user"), KindParts().pause("user"), KindParts().heal()):
        with pytest.raises(DeployError, match=r"prod\.example\.org:6443, which is no kind cluster"):
            asyncio.run(act)
    assert all(" config view " in line for line in called(calls))


def test_a_paused_database_of_make_run_takes_no_write_until_it_goes_on(tmp_path: Path) -> None:
    stores = [tmp_path / f"{name}.db" for name in SERVICES]
    for store in stores:
        with contextlib.closing(sqlite3.connect(store)) as connection:
            connection.execute("CREATE TABLE t (x)")
    parts = LocalParts(System([]), tmp_path)
    asyncio.run(parts.pause("database"))
    for store in stores:
        locked = pytest.raises(sqlite3.OperationalError, match="locked")
        with contextlib.closing(sqlite3.connect(store, timeout=0)) as connection, locked:
            connection.execute("INSERT INTO t VALUES (1)")
    asyncio.run(parts.resume("database"))
    with contextlib.closing(sqlite3.connect(stores[0], timeout=0)) as connection:
        connection.execute("INSERT INTO t VALUES (1)")


def test_make_run_has_no_database_server_and_no_broker_of_another() -> None:
    parts = LocalParts(System([]), Path())
    assert "`pause database` locks the files" in parts.obstacle(Fault("kill", "database"))
    assert "not part of this system" in parts.obstacle(Fault("kill", "broker"))
    assert parts.obstacle(Fault("kill", "user")) == ""
