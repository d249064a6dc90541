"""A service by one command, made in a clone of this repository: it joins the running system and leaves it again."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.workbench.api_clients import ApiAuth
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.polling import until
from tests.e2e.compose_target import FILE, ComposeTarget
from tests.support.stories.story import Story
from tests.support.stories.target import Target

NAME, TOPIC = "billing", "user.state.v1"
TAG = "new-service"  # the images of other tests stay as they are
UP = ("--profile", "full", "up", "--detach", "--wait")


@pytest.fixture
def running(target: Target) -> Iterator[ComposeTarget]:
    """The project; in the end it is again as this repository describes it, without what a test has added."""
    assert isinstance(target, ComposeTarget)
    yield target
    target.compose("--profile", "full", "rm", "--stop", "--force", "prometheus")
    target.compose("up", "--detach", "--wait", "--no-build", "--remove-orphans")


def test_a_made_service_builds_its_replica_in_the_running_system(
    running: ComposeTarget, story: Story, tmp_path: Path
) -> None:
    user = story.register_user()  # the service comes later: it reads the compacted topic from the start
    clone = tmp_path / "eventline"
    execute(tmp_path, "git", "clone", "--quiet", str(FILE.parent), str(clone))
    new_service(clone, "make", NAME, TOPIC)
    http, metrics = free_ports(2)
    ports = {f"{NAME.upper()}_PORT": str(http), f"{NAME.upper()}_METRICS_PORT": str(metrics)}
    running.compose(*UP, "--build", NAME, "prometheus", file=clone / "docker-compose.yml", IMAGE_TAG=TAG, **ports)
    url = f"http://{HOST}:{http}/{NAME}/{user.user_id}"
    response = until(
        "the user's state", lambda: httpx.get(url, auth=ApiAuth()), lambda found: found.status_code == httpx.codes.OK
    )
    (record,) = response.json()["records"]
    assert (record["topic"], record["value"]["personal"]["email"]) == (TOPIC, user.email)
    until("a series of the service", lambda: value(running, f'{NAME}_records{{job="{NAME}"}}'), lambda rows: rows > 0)

    new_service(clone, "remove", NAME)
    assert execute(clone, "git", "status", "--porcelain") == ""


def value(running: ComposeTarget, query: str) -> float:
    """Return the sum of a query's series in Prometheus, 0 without any."""
    answer = httpx.get(f"{running.prometheus_url}/api/v1/query", params={"query": query}).raise_for_status()
    return sum(float(series["value"][1]) for series in answer.json()["data"]["result"])


def new_service(clone: Path, *arguments: str) -> None:
    """Run the generator of a clone."""
    execute(clone, sys.executable, "-m", "services.workbench.new_service", *arguments)


def execute(folder: Path, *argv: str) -> str:
    """Return what a program printed. A failure fails the test with its output."""
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout
