"""The parts of the system that docker-compose.yml describes: its containers."""

import asyncio
import json

from k8s.command import CommandError, run
from services.workbench.faults.table import BROKER, DATABASE, PARTS, Fault
from services.workbench.local.system import ROOT

CONTAINERS = {name: name for name in PARTS} | {BROKER: "kafka", DATABASE: "postgres"}


class ComposeParts:
    """The containers of the project that docker-compose.yml or COMPOSE_PROJECT_NAME names; see `parts.Parts`."""

    system = "docker compose"

    def obstacle(self, _: Fault) -> str:
        """Return nothing: everything is possible here."""
        return ""

    async def kill(self, part: str) -> None:
        """Kill a container; its restart policy leaves it alone then."""
        await _compose("kill", CONTAINERS[part])

    async def start(self, part: str) -> None:
        """Start a container."""
        await _compose("start", CONTAINERS[part])

    async def pause(self, part: str) -> None:
        """Freeze a container."""
        await _compose("pause", CONTAINERS[part])

    async def resume(self, part: str) -> None:
        """Let a container go on, unless another command has healed it."""
        try:
            await _compose("unpause", CONTAINERS[part])
        except CommandError as error:
            if "not paused" not in error.output:
                raise

    async def heal(self) -> list[str]:
        """Start and let go on what does not run."""
        remedies = {"paused": self.resume, "exited": self.start}
        states = {one["Service"]: one["State"] for one in _decoded(await _compose("ps", "--all", "--format", "json"))}
        broken = {part: states.get(container, "") for part, container in CONTAINERS.items()}
        for part, state in broken.items():
            if state in remedies:
                await remedies[state](part)
        return [part for part, state in broken.items() if state in remedies]


async def _compose(*arguments: str) -> str:
    return await asyncio.to_thread(run, "docker", "compose", "--file", str(ROOT / "docker-compose.yml"), *arguments)


def _decoded(text: str) -> list[dict[str, str]]:
    """Return the containers: a JSON line for each, in older versions one array."""
    return json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
