"""The parts of the release in the kind cluster: its workloads. No other cluster is touched."""

import asyncio

from k8s.command import CONTEXT, NODE, RELEASE, DeployError, kubectl, objects, run
from services.contracts.service_list import SERVICES
from services.workbench.faults.table import BROKER, DATABASE, MAIL, Fault

WORKLOADS = {name: f"deployment/{RELEASE}-{name}" for name in (*SERVICES, MAIL)} | {
    BROKER: f"statefulset/{RELEASE}-kafka",
    DATABASE: f"statefulset/{RELEASE}-postgres",
}
REPLICAS = "eventline.local/replicas-before-fault"  # an annotation, for `heal` to find
LOOPBACK = "https://127.0.0.1:"


class KindParts:
    """The workloads of the release; see `parts.Parts`. Raises DeployError for a context that is not kind's."""

    system = "kind"

    def __init__(self) -> None:
        self._is_checked = False

    def obstacle(self, _: Fault) -> str:
        """Return nothing: everything is possible here."""
        return ""

    async def kill(self, part: str) -> None:
        """Let no pod of a part come back, and delete those that are there with a second's grace."""
        if await self._replicas_before(part):
            raise DeployError(f"an interrupted command has left {part} killed: `break heal` starts it again")
        now = await self._kubectl("get", WORKLOADS[part], "--output", "jsonpath={.spec.replicas}")
        await self._kubectl("annotate", WORKLOADS[part], f"{REPLICAS}={now}")
        await self._kubectl("scale", WORKLOADS[part], "--replicas=0")
        await self._kubectl("delete", "pod", "--selector", _selector(part), "--now", "--wait=false")

    async def start(self, part: str) -> None:
        """Scale a part to what it was, unless another command has healed it."""
        if not (before := await self._replicas_before(part)):
            return
        await self._kubectl("scale", WORKLOADS[part], f"--replicas={before}")
        await self._kubectl("annotate", WORKLOADS[part], f"{REPLICAS}-")

    async def pause(self, part: str) -> None:
        """Send SIGSTOP to a part's processes, from the node: within a container, its first process is immune."""
        await self._signal(part, "STOP")

    async def resume(self, part: str) -> None:
        """Send SIGCONT to a part's processes."""
        await self._signal(part, "CONT")

    async def heal(self) -> list[str]:
        """Scale up what an interrupted command has scaled down, and let everything go on."""
        await self._check()
        found = await asyncio.to_thread(objects, "deployments,statefulsets")
        scaled = {one["metadata"]["name"] for one in found if REPLICAS in one["metadata"].get("annotations", {})}
        broken = [part for part, workload in WORKLOADS.items() if workload.partition("/")[2] in scaled]
        for part in broken:
            await self.start(part)
        for part in WORKLOADS:
            await self.resume(part)
        return broken

    async def _replicas_before(self, part: str) -> str:
        key = REPLICAS.replace(".", r"\.")
        return await self._kubectl("get", WORKLOADS[part], "--output", f"jsonpath={{.metadata.annotations.{key}}}")

    async def _kubectl(self, *arguments: str) -> str:
        await self._check()
        return await asyncio.to_thread(kubectl, *arguments)

    async def _check(self) -> None:
        if not self._is_checked:
            await asyncio.to_thread(require_kind)
            self._is_checked = True

    async def _signal(self, part: str, name: str) -> None:
        await self._check()
        pods = await asyncio.to_thread(objects, "pods", "--selector", _selector(part))
        if uids := "|".join(pod["metadata"]["uid"].replace("-", "[-_]") for pod in pods):
            script = f"grep -lsE 'pod({uids})' /proc/[0-9]*/cgroup | cut -d/ -f3 | xargs --no-run-if-empty kill -{name}"
            await asyncio.to_thread(run, "docker", "exec", NODE, "bash", "-c", script)


def require_kind() -> None:
    """Check that the context is of a cluster on this machine, as kind's are. Raises DeployError."""
    where = "jsonpath={.clusters[0].cluster.server}"
    server = run("kubectl", "--context", CONTEXT, "config", "view", "--minify", "--output", where)
    if not server.startswith(LOOPBACK):
        raise DeployError(f"the context {CONTEXT} leads to {server}, which is no kind cluster: nothing is broken there")


def _selector(part: str) -> str:
    return f"app.kubernetes.io/name={WORKLOADS[part].partition(f'/{RELEASE}-')[2]}"
