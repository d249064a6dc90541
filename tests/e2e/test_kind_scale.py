"""More and fewer replicas, brokers that restart in turn, and a broker that is down, under one load: nothing is lost.

On a cluster of three brokers, whose topics have min.insync.replicas 2: `KIND_KAFKA_NODES=3 make deploy`, and then,
for a quarter of an hour,
`pytest -m "e2e and on_demand" tests/e2e/test_kind_scale.py --target kind -o faulthandler_timeout=1200`.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from k8s.command import kubectl
from services.chassis.settings.environment import load as load_settings
from services.workbench.chaos.site import Target, site
from services.workbench.load.run import Pace
from services.workbench.settings import WorkbenchSettings
from tests.e2e.kind_target import WORKLOADS
from tests.support.recorded_load import anomalies, load_beside
from tests.support.stories.target import BROKER
from tests.support.stories.target import Target as Deployed

pytestmark = pytest.mark.on_demand

SCALED = ("user", "notification")
FEW, MANY, NODES = "1", "3", "3"
PACE = Pace(rate=15.0, seconds=540.0)
DOWN_S = 30.0
PATIENCE = "--timeout=300s"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Give each workload the replicas that it had."""
    before = {part: replicas(part) for part in (*SCALED, BROKER)}
    if before[BROKER] != NODES:
        pytest.skip(f"the broker has {before[BROKER]} nodes: KIND_KAFKA_NODES=3 make deploy")
    yield
    for part, number in before.items():
        scale(part, number)


def test_scaling_restarting_and_losing_a_broker_under_load_leave_no_anomaly(target: Deployed, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    with site(load_settings(WorkbenchSettings, os.environ), Target.KIND, print) as running:
        assert running.user_url == target.urls["user"]
        asyncio.run(load_beside(running.user_url, history, PACE, asyncio.to_thread(change_everything)))
        assert anomalies(running.evidence, history) == []


def change_everything() -> None:
    """Scale 1 to 3, restart each broker in turn, run with one broker less, and scale 3 to 1; each within the load."""
    began = time.monotonic()
    for part in SCALED:
        scale(part, FEW)
    for part in SCALED:
        scale(part, MANY)
    kubectl("rollout", "restart", WORKLOADS[BROKER])
    kubectl("rollout", "status", WORKLOADS[BROKER], PATIENCE)
    scale(BROKER, "2")
    time.sleep(DOWN_S)  # how long it lasts is the fault
    scale(BROKER, NODES)
    for part in SCALED:
        scale(part, FEW)
    lasted = time.monotonic() - began
    assert lasted < PACE.seconds, f"it lasted {lasted:.0f} s, longer than the load"


def scale(part: str, number: str) -> None:
    """Give a part so many pods, and wait until each is ready."""
    kubectl("scale", WORKLOADS[part], f"--replicas={number}")
    kubectl("rollout", "status", WORKLOADS[part], PATIENCE)


def replicas(part: str) -> str:
    """Return how many pods a part is meant to have."""
    return kubectl("get", WORKLOADS[part], "--output", "jsonpath={.spec.replicas}")
