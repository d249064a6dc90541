"""A real Prometheus for a test: from PATH, else the upstream image; and what is asked of one."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program, probe
from services.workbench.local.system import System

IMAGE = "prom/prometheus:v3.13.1"
READY_S = 60.0
PATIENCE_S = 30.0
NEEDED = (
    "there is no Prometheus: neither `prometheus` on PATH nor Docker for its image. Get it from "
    "https://prometheus.io/download and put it on PATH, or start Docker"
)
Points = Sequence[tuple[float, float]]


class AskError(Exception):
    """Prometheus refuses what was asked, in its own words."""


class Series:
    """One line of an answer: its labels, and its values over time."""

    def __init__(self, labels: Mapping[str, str], points: Points) -> None:
        self.labels = labels
        self.moments = [moment for moment, _ in points]
        self.values = [value for _, value in points]

    def __repr__(self) -> str:
        return json.dumps(self.labels)


class Prometheus:
    """Client of a Prometheus server. Raises AskError if it refuses."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(base_url=f"{self.url}/api/v1", timeout=PATIENCE_S)

    def range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """Return what an expression gives over time."""
        found = self._ask("query_range", query=expression, start=start, end=end, step=step)
        return [_series(one) for one in found["result"]]

    def instant(self, expression: str, at: float) -> list[Series]:
        """Return what an expression gives at a moment."""
        return [_series(one) for one in self._ask("query", query=expression, time=at)["result"]]

    def values(self, label: str, selector: str, start: float, end: float) -> list[str]:
        """Return the values of a label that some series had."""
        found: list[str] = self._ask(f"label/{label}/values", match=selector, start=start, end=end)
        return found

    def parse(self, expression: str) -> None:
        """Have an expression read, and nothing more."""
        self._ask("parse_query", query=expression)

    def interval(self, job: str) -> float:
        """Return how often it reads a job, in seconds."""
        targets = self._ask("targets", state="active")["activeTargets"]
        every = next(target["scrapeInterval"] for target in targets if target["labels"]["job"] == job)
        return float(every.removesuffix("s"))

    def close(self) -> None:
        """Leave it."""
        self._client.close()

    def _ask(self, what: str, **parameters: str | float) -> Any:
        named = {"match[]" if name == "match" else name: value for name, value in parameters.items()}
        answer = self._client.get(what, params=named)
        try:
            body = answer.json()
        except ValueError:
            raise AskError(f"{answer.url} answered {answer.status_code} {answer.text[:200]}") from None
        if body["status"] != "success":
            raise AskError(f"{body['errorType']}: {body['error']}")
        return body["data"]


def _series(one: Mapping[str, Any]) -> Series:
    points = one["values"] if "values" in one else [one["value"]]
    return Series(one["metric"], [(float(at), float(value)) for at, value in points])


@contextlib.contextmanager
def prometheus(config: Path, folder: Path) -> Iterator[Prometheus]:
    """Yield a Prometheus with this configuration, its data in the folder; it ends with the block.

    The run ends, with an error and advice, if there is none.
    """
    port = free_ports(1)[0]
    with System([_program(config, folder, port)]) as system:
        system.start("prometheus")
        system.wait_ready(READY_S, "prometheus")
        with contextlib.closing(Prometheus(f"http://{HOST}:{port}")) as client:
            yield client
        system.stop("prometheus")


def _program(config: Path, folder: Path, port: int) -> Program:
    argv = (
        *_command(folder),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={HOST}:{port}",
        "--log.level=warn",
    )
    return Program(
        "prometheus", argv, dict(os.environ), folder / "prometheus.log", lambda: probe(HOST, port, "/-/ready")
    )


def _command(folder: Path) -> tuple[str, ...]:
    if found := shutil.which("prometheus"):
        return (found,)
    if docker := shutil.which("docker"):
        user, root = f"{os.getuid()}:{os.getgid()}", Path(__file__).parents[2]
        mounts = (f"--volume={folder}:{folder}", f"--volume={root}:{root}:ro")
        return (docker, "run", "--rm", "--network=host", f"--user={user}", *mounts, IMAGE)
    pytest.exit(NEEDED, 1)
