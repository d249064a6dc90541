"""The life of faults: each ends by itself, or when it is healed, and leaves no part broken."""

import asyncio

import pytest

from k8s.command import DeployError
from services.chassis.kafka.settings import KafkaSettings
from services.workbench.faults import injector
from services.workbench.faults.injector import Injector
from services.workbench.faults.table import ZOMBIE_S, Fault, FaultError

KAFKA = KafkaSettings(kafka_bootstrap_servers="nowhere:1")
LONG_S, SHORT_S = 60.0, 0.01
RUNS = "runs"


class FakeParts:
    """Parts that remember their state."""

    system = "a fake"

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.history: list[str] = []

    def obstacle(self, fault: Fault) -> str:
        return "there is none" if fault.target == "database" else ""

    async def kill(self, part: str) -> None:
        self._change(part, "killed")

    async def start(self, part: str) -> None:
        self._change(part, RUNS)

    async def pause(self, part: str) -> None:
        self._change(part, "paused")

    async def resume(self, part: str) -> None:
        self._change(part, RUNS)

    async def heal(self) -> list[str]:
        return ["what another command broke"]

    def _change(self, part: str, state: str) -> None:
        self.states[part] = state
        self.history.append(state)


async def ended(faults: Injector) -> None:
    async with asyncio.timeout(10):
        while faults.active():  # noqa: ASYNC110  # nobody sets an event
            await asyncio.sleep(SHORT_S)


@pytest.mark.parametrize(
    ("fault", "state"),
    [(Fault("kill", "user"), "killed"), (Fault("pause", "broker"), "paused"), (Fault("stall", "mail"), "paused")],
    ids=["kill", "pause", "stall"],
)
def test_a_fault_lasts_its_time_and_the_part_runs_again(fault: Fault, state: str) -> None:
    async def story() -> None:
        parts = FakeParts()
        faults = Injector(parts, KAFKA)
        await faults.begin(fault, SHORT_S)
        assert parts.states == {fault.target: state}
        assert [(one.name, one.target) for one in faults.active()] == [(fault.name, fault.target)]
        await ended(faults)
        assert parts.states == {fault.target: RUNS}

    asyncio.run(story())


def test_a_suspended_part_stays_suspended_for_its_shortest_time_unless_it_is_healed() -> None:
    async def story() -> None:
        parts = FakeParts()
        faults = Injector(parts, KAFKA)
        await faults.begin(Fault("suspend", "user"), SHORT_S)
        assert parts.states == {"user": "paused"}
        assert ZOMBIE_S - 5 < faults.active()[0].heals_in_s <= ZOMBIE_S
        await faults.heal()
        assert parts.states == {"user": RUNS}

    asyncio.run(story())


class FakeDisk:
    """A condition that remembers what is without it."""

    def __init__(self) -> None:
        self.full: list[str] = []

    def obstacle(self, target: str) -> str:
        return "its disk is not its own" if target == "audit" else ""

    async def begin(self, target: str) -> None:
        self.full.append(target)

    async def end(self, target: str) -> None:
        self.full.remove(target)


def test_a_condition_ends_and_returns_and_a_system_without_it_has_no_such_fault() -> None:
    async def story() -> None:
        disk = FakeDisk()
        faults = Injector(FakeParts(), KAFKA, {"fill": disk, "cut": disk})
        await faults.begin(Fault("fill", "broker"), LONG_S)
        assert disk.full == ["broker"]
        possible = {one.name for one in faults.possible()}
        assert possible & {"fill broker", "cut user", "cut audit", "write-protect database"} == {
            "fill broker",
            "cut user",
        }
        for fault, reason in (
            (Fault("cut", "audit"), "its disk is not its own"),
            (Fault("fill", "database"), "there is none"),
        ):
            with pytest.raises(FaultError, match=f"{fault.name} is impossible in a fake: {reason}"):
                await faults.begin(fault, LONG_S)
        await faults.heal()
        assert disk.full == []
        with pytest.raises(FaultError, match="possible on local systems only"):
            Injector(FakePartsWithADatabase(), KAFKA).require(Fault("write-protect", "database"))

    asyncio.run(story())


class FakePartsWithADatabase(FakeParts):
    """Parts of which everything is there."""

    def obstacle(self, _: Fault) -> str:
        return ""


def test_healing_ends_all_faults_at_once() -> None:
    async def story() -> None:
        parts = FakeParts()
        faults = Injector(parts, KAFKA)
        await faults.begin(Fault("kill", "user"), LONG_S)
        await faults.begin(Fault("pause", "audit"), LONG_S)
        async with asyncio.timeout(10):
            assert await faults.heal() == ["kill user", "pause audit", "what another command broke"]
        assert parts.states == {"user": RUNS, "audit": RUNS}
        assert faults.active() == []
        assert await faults.close() == [], "a command that ends heals nothing of others"

    asyncio.run(story())


def test_a_part_that_does_not_start_again_is_reported() -> None:
    class Broken(FakeParts):
        async def start(self, part: str) -> None:
            raise DeployError(f"{part} does not start")

    async def story() -> None:
        faults = Injector(Broken(), KAFKA)
        await faults.begin(Fault("kill", "user"), SHORT_S)
        with pytest.raises(DeployError, match="user does not start"):
            await ended(faults)

    asyncio.run(story())


def test_a_slow_part_is_stopped_and_goes_on_in_turns_and_runs_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injector, "PAUSED_S", 0.05)  # so that it is healed while it is paused
    monkeypatch.setattr(injector, "RUNNING_S", 0.001)

    async def story() -> None:
        parts = FakeParts()
        faults = Injector(parts, KAFKA)
        await faults.begin(Fault("slow", "audit"), LONG_S)
        async with asyncio.timeout(10):
            while parts.history.count("paused") < 3:  # noqa: ASYNC110  # nobody sets an event
                await asyncio.sleep(SHORT_S)
        await faults.heal()
        assert parts.history == ["paused", RUNS] * (len(parts.history) // 2)

    asyncio.run(story())


def test_a_broken_part_is_not_broken_twice_and_the_impossible_not_at_all() -> None:
    async def story() -> None:
        parts = FakeParts()
        faults = Injector(parts, KAFKA)
        await faults.begin(Fault("kill", "user"), LONG_S)
        with pytest.raises(FaultError, match="user is broken already: kill user"):
            await faults.begin(Fault("pause", "user"), LONG_S)
        with pytest.raises(FaultError, match="kill database is impossible in a fake: there is none"):
            await faults.begin(Fault("kill", "database"), LONG_S)
        assert Fault("kill", "database") not in faults.possible()
        await faults.heal()
        assert parts.history == ["killed", RUNS]

    asyncio.run(story())
